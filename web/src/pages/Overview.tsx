import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { fleetQuery, useRead } from "../api/fleet";
import { eventsQuery } from "../api/queries";
import type { Row } from "../logic/row";
import { EventList } from "../parts/EventList";
import { Page } from "../parts/Page";
import { StageMark } from "../parts/Stage";
import { Ago, useNow } from "../parts/Time";
import { Empty, ErrorBox, Loaded, Waiting } from "../parts/Trouble";
import { common } from "../words/common";
import { machines } from "../words/machines";
import { overview as words } from "../words/pages";
import { shell } from "../words/shell";

const DAY = 86_400_000;
const STAGES = ["active", "provisioning", "failed", "discovered", "ready", "retired"];
const SHOWN = 8;

function Count({
  n,
  label,
  to,
  search,
}: {
  n: number;
  label: React.ReactNode;
  to: "/machines" | "/boots";
  search?: Record<string, string>;
}) {
  return (
    <li>
      <Link to={to} search={search ?? {}} className="number">
        <b>{n.toLocaleString("en")}</b>
        <span>{label}</span>
      </Link>
    </li>
  );
}

export function Overview() {
  const queries = useQueryClient();
  const fleet = useQuery(fleetQuery(queries));
  const read = useRead();
  const rows = fleet.data?.rows;
  return (
    <Page
      title={words.title}
      calls={[
        { what: "The machines", path: "machines", cli: "pilotlight get machines" },
        {
          what: "Those that failed",
          path: "machines?selector=stage%3Dfailed",
          cli: "pilotlight get machines -l stage=failed",
        },
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
      {rows !== undefined && rows.length > 0 && <Numbers rows={rows} />}
      <Happenings rows={rows ?? []} />
    </Page>
  );
}

function Numbers({ rows }: { rows: readonly Row[] }) {
  const count = (takes: (row: Row) => boolean) => rows.reduce((n, row) => n + Number(takes(row)), 0);
  const drifted = count((row) => row.drift);
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
      <Count n={count((row) => row.boot !== undefined)} label={words.booting} to="/boots" />
      {drifted > 0 && <Count n={drifted} label={words.drifted} to="/machines" search={{ selector: "drift=true" }} />}
    </ul>
  );
}

function Happenings({ rows }: { rows: readonly Row[] }) {
  const events = useQuery(eventsQuery(undefined));
  const now = useNow();
  const booting = rows.filter((row) => row.boot !== undefined);
  const odd = rows.filter((row) => row.conflicts > 0 || row.hold !== undefined);
  return (
    <Loaded query={events} what={common.reading(shell.pages.events.toLowerCase())}>
      {(list) => {
        const recent = list.filter((event) => now - Date.parse(event.at) < DAY);
        const failed = grouped(recent.filter((event) => event.kind === "boot.failed"));
        const foreign = recent.filter((event) => event.kind === "dhcp.foreign");
        return (
          <div className="panels">
            <section className="panel">
              <h2>{words.failed}</h2>
              {failed.length === 0 ? (
                <p className="dim">{words.noneFailed}</p>
              ) : (
                <ul className="list">
                  {failed.slice(0, SHOWN).map(({ why, names }) => (
                    <li key={why}>
                      <span className="stage-failed">{why}</span>{" "}
                      <span className="dim">{words.times(names.length)}:</span>{" "}
                      {[...new Set(names)].slice(0, 6).map((name) => (
                        <Link key={name} to="/machines/$name" params={{ name }} className="spaced">
                          {name}
                        </Link>
                      ))}
                    </li>
                  ))}
                </ul>
              )}
            </section>
            <section className="panel">
              <h2>{words.now}</h2>
              {booting.length === 0 ? (
                <p className="dim">{words.noneNow}</p>
              ) : (
                <ul className="list">
                  {booting.slice(0, SHOWN).map((row) => (
                    <li key={row.name}>
                      <Link to="/machines/$name" params={{ name: row.name }}>
                        {row.name}
                      </Link>{" "}
                      {common.phases[row.boot?.phases.at(-1)?.phase ?? ""]}{" "}
                      <span className="dim">
                        <Ago at={row.boot?.started} bare />
                      </span>
                    </li>
                  ))}
                  {booting.length > SHOWN && <li>{machines.dialog.more(booting.length - SHOWN)}</li>}
                </ul>
              )}
              <Link to="/boots">{words.board}</Link>
            </section>
            <section className="panel">
              <h2>{words.attention}</h2>
              {odd.length + foreign.length === 0 ? (
                <p className="dim">{words.noAttention}</p>
              ) : (
                <ul className="list">
                  {foreign.slice(0, 3).map((event) => (
                    <li key={event.seq}>{event.message}</li>
                  ))}
                  {odd.slice(0, SHOWN).map((row) => (
                    <li key={row.name}>
                      <Link to="/machines/$name" params={{ name: row.name }}>
                        {row.name}
                      </Link>{" "}
                      {row.conflicts > 0 ? words.conflicts : `${words.held}: ${row.hold ?? ""}`}
                    </li>
                  ))}
                </ul>
              )}
            </section>
            <section className="panel">
              <h2>{words.events}</h2>
              <EventList events={list.slice(0, 10)} short />
              <Link to="/events">{words.allEvents}</Link>
            </section>
          </div>
        );
      }}
    </Loaded>
  );
}

/** The same failure of many machines is one line. */
function grouped(failed: readonly { object: string; message: string }[]): { why: string; names: string[] }[] {
  const causes = new Map<string, string[]>();
  for (const { object, message } of failed) {
    const name = object.split("/")[1] ?? object;
    const why = message.startsWith(name) ? message.slice(name.length).replace(/^[:\s]+/, "") : message;
    causes.set(why, [...(causes.get(why) ?? []), name]);
  }
  return [...causes].map(([why, names]) => ({ why, names })).sort((a, b) => b.names.length - a.names.length);
}
