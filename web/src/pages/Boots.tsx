import { SegmentedControl } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, getRouteApi } from "@tanstack/react-router";
import type { Boot, Phase } from "../api/client";
import { fleetQuery } from "../api/fleet";
import { bootsQuery } from "../api/queries";
import type { Row } from "../logic/row";
import { bytes, span } from "../logic/time";
import { Page } from "../parts/Page";
import { Ago, Moment, useNow } from "../parts/Time";
import { Empty, ErrorBox, Loaded, Waiting } from "../parts/Trouble";
import { type Column, VirtualTable } from "../parts/VirtualTable";
import { common } from "../words/common";
import { boots as words } from "../words/pages";

const PHASES: readonly Phase[] = [
  "dhcp",
  "boot_program",
  "script",
  "kernel",
  "initramfs",
  "rootfs",
  "ignition",
  "agent",
];
const route = getRouteApi("/boots");

export function Boots() {
  const { show } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Page
      title={words.title}
      calls={[
        { what: "Boots, newest first", path: "boots", cli: "pilotlight get boots" },
        { what: "As they happen", path: "events", cli: "pilotlight events --follow" },
      ]}
      aside={
        <SegmentedControl
          size="xs"
          aria-label={words.title}
          value={show === "ended" ? "ended" : "board"}
          onChange={(value) => void navigate({ search: value === "ended" ? { show: "ended" } : {} })}
          data={[
            { value: "board", label: words.board },
            { value: "ended", label: words.ended },
          ]}
        />
      }
    >
      {show === "ended" ? <Ended /> : <Board />}
    </Page>
  );
}

/** One row for each machine that boots now, a cell for each phase. */
function Board() {
  const queries = useQueryClient();
  const fleet = useQuery(fleetQuery(queries));
  if (fleet.isError) return <ErrorBox error={fleet.error} again={() => void fleet.refetch()} />;
  if (fleet.data === undefined) return <Waiting what={common.reading(words.reading)} />;
  const rows = fleet.data.rows.filter((row) => row.boot !== undefined);
  if (rows.length === 0) return <Empty title={words.none}>{words.noneHint}</Empty>;
  const columns: Column<Row>[] = [
    {
      key: "name",
      title: words.machine,
      width: "minmax(120px, 1fr)",
      cell: (row) => (
        <Link to="/machines/$name" params={{ name: row.name }} search={{ tab: "boot" }}>
          {row.name}
        </Link>
      ),
    },
    { key: "age", title: words.age, width: "70px", cell: (row) => <Ago at={row.boot?.started} bare /> },
    {
      key: "phases",
      title: words.phases,
      head: (
        <span className="cells">
          {PHASES.map((phase) => (
            <span key={phase} className="cell">
              {common.phases[phase]}
            </span>
          ))}
        </span>
      ),
      width: "minmax(540px, 5fr)",
      cell: (row) => row.boot && <Cells boot={row.boot} />,
    },
    { key: "loaded", title: words.loaded, width: "90px", cell: (row) => bytes(total(row.boot)) },
    { key: "rate", title: words.rate, width: "100px", cell: (row) => row.boot && <Rate boot={row.boot} /> },
    {
      key: "detail",
      title: words.detail,
      width: "minmax(120px, 1.5fr)",
      cell: (row) => <span className="dim">{row.boot?.phases.at(-1)?.detail}</span>,
    },
  ];
  return <VirtualTable label={words.boardTable} rows={rows} columns={columns} id={(row) => row.name} />;
}

const total = (boot: Boot | undefined): number => boot?.phases.reduce((sum, phase) => sum + phase.bytes, 0) ?? 0;

function Cells({ boot }: { boot: Boot }) {
  const now = useNow();
  const last = boot.phases.at(-1)?.phase;
  return (
    <span className="cells">
      {PHASES.map((phase) => {
        const there = boot.phases.find((record) => record.phase === phase);
        const current = phase === last;
        const name = common.phases[phase] ?? phase;
        const age =
          there === undefined
            ? ""
            : span(
                (there.ended !== null && !current ? Date.parse(there.ended) : current ? now : Date.parse(there.last)) -
                  Date.parse(there.started),
              );
        const state = current ? "now" : there === undefined ? "" : "done";
        return (
          <span
            key={phase}
            className={`cell ${state}`}
            title={`${name} ${age}`}
            aria-label={`${name} ${age}`}
            role="img"
            aria-current={current ? "step" : undefined}
          >
            {there === undefined ? "·" : `${current ? "▸" : "✓"} ${age}`}
          </span>
        );
      })}
    </span>
  );
}

/** What the phase that loads now brings in a second, over all of it. */
function Rate({ boot }: { boot: Boot }) {
  const phase = boot.phases.at(-1);
  if (phase === undefined || phase.bytes === 0) return null;
  const seconds = (Date.parse(phase.last) - Date.parse(phase.started)) / 1000;
  return seconds > 0 ? <>{words.perSecond(bytes(phase.bytes / seconds))}</> : null;
}

function Ended() {
  const query = useQuery(bootsQuery);
  return (
    <Loaded query={query} what={common.reading(words.reading)}>
      {(all) => {
        const ended = all.filter((boot) => boot.outcome !== null);
        if (ended.length === 0) return <Empty title={words.noneEnded}>{words.noneHint}</Empty>;
        const columns: Column<Boot>[] = [
          {
            key: "began",
            title: words.began,
            width: "minmax(150px, 1fr)",
            cell: (boot) => <Moment at={boot.started} />,
          },
          {
            key: "machine",
            title: words.machine,
            width: "minmax(120px, 1fr)",
            cell: (boot) => (
              <Link to="/machines/$name" params={{ name: boot.machine }} search={{ tab: "boot", boot: boot.id }}>
                {boot.machine}
              </Link>
            ),
          },
          {
            key: "took",
            title: words.took,
            width: "90px",
            cell: (boot) => (boot.ended === null ? "" : span(Date.parse(boot.ended) - Date.parse(boot.started))),
          },
          { key: "loaded", title: words.loaded, width: "90px", cell: (boot) => bytes(total(boot)) },
          {
            key: "address",
            title: words.address,
            width: "130px",
            cell: (boot) => <span className="mono">{boot.address}</span>,
          },
          {
            key: "outcome",
            title: words.outcome,
            width: "minmax(220px, 3fr)",
            cell: ({ outcome }) =>
              outcome && (
                <span className={outcome.result === "failed" ? "stage-failed" : undefined}>
                  {common.outcome(
                    outcome.result,
                    outcome.result === "failed"
                      ? outcome.why
                      : outcome.result === "restarted"
                        ? common.phases[outcome.during]
                        : undefined,
                  )}
                </span>
              ),
          },
        ];
        return <VirtualTable label={words.endedTable} rows={ended} columns={columns} id={(boot) => boot.id} />;
      }}
    </Loaded>
  );
}
