import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Event, SubnetUse } from "../api/client";
import { Refused } from "../api/client";
import { fleetQuery, useRead } from "../api/fleet";
import { networkQuery } from "../api/more";
import { failedQuery, siteQuery } from "../api/site";
import { eventsQuery } from "../api/queries";
import { grouped } from "../logic/failed";
import { place } from "../logic/queue";
import type { Row } from "../logic/row";
import { EventList } from "../parts/EventList";
import { Page } from "../parts/Page";
import { StageMark } from "../parts/Stage";
import { FreeAddresses, LinkUse, type Site, Storm } from "../parts/Storm";
import { Ago } from "../parts/Time";
import { Empty, ErrorBox, Loaded, Waiting } from "../parts/Trouble";
import { common } from "../words/common";
import { machines } from "../words/machines";
import { board, site as siteWords } from "../words/operations";
import { overview as words } from "../words/pages";
import { shell } from "../words/shell";

const STAGES = ["active", "provisioning", "failed", "discovered", "ready", "retired"];
const SHOWN = 8;
const NAMES = 6;

interface To {
  to: "/machines" | "/boots" | "/network" | "/events";
  search?: Record<string, string>;
}

function Count({
  n,
  label,
  to,
  search,
  tone,
  title,
}: To & { n: number; label: React.ReactNode; tone?: "warn" | "bad" | undefined; title?: string }) {
  return (
    <li>
      <Link
        to={to}
        search={search ?? {}}
        className={`number${tone === undefined ? "" : ` number-${tone}`}`}
        title={title}
      >
        <b>{n.toLocaleString("en")}</b>
        <span>{label}</span>
      </Link>
    </li>
  );
}

export function Overview() {
  const queries = useQueryClient();
  const fleet = useQuery(fleetQuery(queries));
  const site = useQuery(siteQuery);
  const network = useQuery(networkQuery).data ?? [];
  const read = useRead();
  const rows = fleet.data?.rows;
  return (
    <Page
      title={words.title}
      aside={site.data && <span className="dim small">{siteWords.of(site.data.name, site.data.version)}</span>}
      calls={[
        { what: "The site in numbers", path: "site" },
        { what: "How full the networks are", path: "network" },
        { what: "The machines", path: "machines", cli: "pilotlight get machines" },
        { what: "Boots that failed", path: "boots?outcome=failed" },
        { what: "What happens", path: "events", cli: "pilotlight events --follow" },
      ]}
    >
      {fleet.isError && <ErrorBox error={fleet.error} again={() => void fleet.refetch()} />}
      {fleet.isPending && (
        <Waiting what={read === 0 ? common.reading(machines.reading) : common.readingMachines(read)} />
      )}
      {rows?.length === 0 && (
        <Empty title={words.noMachines}>
          {words.noMachinesHint} <Link to="/start">{shell.pages.start}</Link>
        </Empty>
      )}
      {rows !== undefined && rows.length > 0 && <Numbers rows={rows} site={site.data} network={network} />}
      {site.data && <Storm site={site.data} />}
      <div className="panels">
        <Failed />
        <Now rows={rows ?? []} />
        <Attention rows={rows ?? []} network={network} />
        <section className="panel">
          <h2>{siteWords.subnets}</h2>
          {site.error instanceof Refused && site.error.problem.status === 403 ? (
            <p className="dim">
              {siteWords.notSeen}: {site.error.message}
            </p>
          ) : (
            <Loaded query={site} what={common.reading(siteWords.reading)}>
              {(found) => <Subnets site={found} network={network} />}
            </Loaded>
          )}
        </section>
        <Sites rows={rows ?? []} />
        <Newest />
      </div>
    </Page>
  );
}

interface Seen {
  rows: readonly Row[];
  network: readonly SubnetUse[];
}

function Numbers({ rows, site, network }: Seen & { site: Site | undefined }) {
  const count = (takes: (row: Row) => boolean) => rows.reduce((n, row) => n + Number(takes(row)), 0);
  const drifted = count((row) => row.drift);
  const held = count((row) => row.hold !== undefined);
  const free = network.reduce((sum, use) => sum + use.free, 0);
  const anyAddress = network.some((use) => use.addresses > 0);
  const servers = network.reduce((sum, use) => sum + use.servers.length, 0);
  return (
    <ul className="numbers" aria-label={words.stages}>
      <Count n={rows.length} label={words.all} to="/machines" />
      {STAGES.map((stage) => ({ stage, n: count((row) => row.stage === stage) }))
        .filter(({ n }) => n > 0)
        .map(({ stage, n }) => (
          <Count
            key={stage}
            n={n}
            label={<StageMark stage={stage} />}
            to="/machines"
            search={{ selector: `stage=${stage}` }}
          />
        ))}
      {drifted > 0 && (
        <Count n={drifted} label={words.drifted} to="/machines" search={{ selector: "drift=true" }} tone="warn" />
      )}
      {held > 0 && <Count n={held} label={words.held} to="/machines" search={{ selector: "hold=true" }} tone="warn" />}
      <Count n={count((row) => row.boot !== undefined)} label={words.booting} to="/boots" />
      {site !== undefined && (
        <>
          <Count n={site.booted} label={siteWords.booted} to="/boots" search={{ show: "ended" }} />
          {site.overdue > 0 && (
            <Count
              n={site.overdue}
              label={siteWords.overdue}
              to="/boots"
              search={{ show: "late" }}
              tone="warn"
              title={siteWords.overdueHint(site.patience)}
            />
          )}
        </>
      )}
      {anyAddress && <Count n={free} label={siteWords.free} to="/network" tone={free === 0 ? "bad" : undefined} />}
      {servers > 0 && (
        <Count n={servers} label={siteWords.foreign} to="/events" search={{ kind: "dhcp.foreign" }} tone="bad" />
      )}
    </ul>
  );
}

function Failed() {
  const query = useQuery(failedQuery);
  return (
    <section className="panel">
      <h2>{words.failed}</h2>
      <Loaded query={query} what={common.reading(words.failedList.toLowerCase())}>
        {({ items }) => {
          const causes = grouped(items);
          if (causes.length === 0) return <p className="dim">{words.noneFailed}</p>;
          return (
            <>
              <ul className="list">
                {causes.slice(0, SHOWN).map(({ why, boots }) => (
                  <li key={why}>
                    <span className="stage-failed">{why}</span>{" "}
                    <span className="dim">{words.times(boots.length)}:</span>{" "}
                    {boots.slice(0, NAMES).map((boot) => (
                      <Link
                        key={boot.machine}
                        to="/machines/$name"
                        params={{ name: boot.machine }}
                        search={{ tab: "boot", boot: boot.id }}
                        className="spaced"
                      >
                        {boot.machine}
                      </Link>
                    ))}
                    {boots.length > NAMES && <span className="dim">{siteWords.more(boots.length - NAMES)}</span>}
                  </li>
                ))}
              </ul>
              <Link to="/boots" search={{ show: "failed" }}>
                {siteWords.failedAll}
              </Link>
            </>
          );
        }}
      </Loaded>
    </section>
  );
}

function Now({ rows }: { rows: readonly Row[] }) {
  const booting = rows.filter((row) => row.boot !== undefined);
  return (
    <section className="panel">
      <h2>{words.now}</h2>
      {booting.length === 0 ? (
        <p className="dim">{words.noneNow}</p>
      ) : (
        <table className="plain tight">
          <tbody>
            {booting.slice(0, SHOWN).map((row) => {
              const waits = place(row.boot);
              return (
                <tr key={row.name}>
                  <th scope="row">
                    <Link to="/machines/$name" params={{ name: row.name }} search={{ tab: "boot" }}>
                      {row.name}
                    </Link>
                  </th>
                  <td>
                    {common.phases[row.boot?.phases.at(-1)?.phase ?? ""]}
                    {waits !== undefined && <span className="dim"> · {board.queueHint(waits)}</span>}
                  </td>
                  <td className="num dim">
                    <Ago at={row.boot?.started} bare />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
      {booting.length > SHOWN && <p className="dim">{machines.dialog.more(booting.length - SHOWN)}</p>}
      <Link to="/boots">{words.board}</Link>
    </section>
  );
}

function Attention({ rows, network }: Seen) {
  const odd = rows.filter((row) => row.conflicts > 0 || row.hold !== undefined);
  const foreign = network.flatMap(({ subnet, servers }) => servers.map((server) => ({ subnet, ...server })));
  return (
    <section className="panel">
      <h2>{words.attention}</h2>
      {odd.length + foreign.length === 0 ? (
        <p className="dim">{words.noAttention}</p>
      ) : (
        <ul className="list">
          {foreign.slice(0, 3).map(({ subnet, address, last }) => (
            <li key={`${subnet} ${address}`}>
              <span className="stage-failed">{siteWords.foreignServer(address, subnet)}</span>{" "}
              <span className="dim">
                <Ago at={last} />
              </span>
            </li>
          ))}
          {odd.slice(0, SHOWN).map((row) => (
            <li key={row.name}>
              <Link to="/machines/$name" params={{ name: row.name }}>
                {row.name}
              </Link>{" "}
              {row.conflicts > 0 ? words.conflicts : `${words.held}: ${row.hold ?? ""}`}
            </li>
          ))}
          {odd.length > SHOWN && <li className="dim">{siteWords.more(odd.length - SHOWN)}</li>}
        </ul>
      )}
    </section>
  );
}

function Subnets({ site, network }: { site: Site; network: readonly SubnetUse[] }) {
  if (site.subnets.length === 0)
    return (
      <p className="dim">
        {siteWords.noSubnets} <Link to="/network">{siteWords.toSubnets}</Link>
      </p>
    );
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={siteWords.subnets}>
      <table className="plain tight narrow">
        <thead>
          <tr>
            <th scope="col">{siteWords.subnet}</th>
            <th scope="col">{siteWords.addresses}</th>
            <th scope="col" className="num">
              {siteWords.load}
            </th>
            <th scope="col" className="num">
              {siteWords.queue}
            </th>
            <th scope="col">{siteWords.link}</th>
          </tr>
        </thead>
        <tbody>
          {site.subnets.slice(0, SHOWN).map((subnet) => (
            <tr key={subnet.name}>
              <th scope="row">
                <Link to="/network/$name" params={{ name: subnet.name }}>
                  {subnet.name}
                </Link>
              </th>
              <td>
                <FreeAddresses use={network.find((use) => use.subnet === subnet.name)} />
              </td>
              <td className="num">{siteWords.loadOf(subnet.loading, subnet.most)}</td>
              <td className="num" title={subnet.offers_held > 0 ? siteWords.queueMore(subnet.offers_held) : undefined}>
                {subnet.waiting}
              </td>
              <td>
                <LinkUse subnet={subnet} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {site.subnets.length > SHOWN && <Link to="/network">{siteWords.more(site.subnets.length - SHOWN)}</Link>}
    </div>
  );
}

/** Machines by the label `site`, where they have one. */
function Sites({ rows }: { rows: readonly Row[] }) {
  const sites = new Map<string, { all: number; failed: number }>();
  for (const row of rows) {
    const name = row.labels.site;
    if (name === undefined) continue;
    const of = sites.get(name) ?? { all: 0, failed: 0 };
    of.all += 1;
    of.failed += Number(row.stage === "failed");
    sites.set(name, of);
  }
  if (sites.size === 0) return null;
  const order = [...sites].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
  return (
    <section className="panel">
      <h2>{siteWords.bySite}</h2>
      <table className="plain tight">
        <tbody>
          {order.slice(0, 2 * SHOWN).map(([name, { all, failed }]) => (
            <tr key={name}>
              <th scope="row">
                <Link to="/machines" search={{ selector: `site=${name}` }}>
                  {name}
                </Link>
              </th>
              <td className="num">{common.machines(all)}</td>
              <td className="num">
                {failed > 0 && (
                  <Link to="/machines" search={{ selector: `site=${name},stage=failed` }} className="stage-failed">
                    {failed.toLocaleString("en")} {common.stages.failed}
                  </Link>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Newest() {
  const events = useQuery(eventsQuery(undefined));
  return (
    <section className="panel wide">
      <h2>{words.events}</h2>
      <Loaded query={events} what={common.reading(shell.pages.events.toLowerCase())}>
        {(list: Event[]) => <EventList events={list.slice(0, 10)} short />}
      </Loaded>
      <Link to="/events">{words.allEvents}</Link>
    </section>
  );
}
