import { Group, SegmentedControl, Text, TextInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, getRouteApi } from "@tanstack/react-router";
import type { Boot, Phase } from "../api/client";
import { fleetQuery } from "../api/fleet";
import { failuresQuery, siteQuery } from "../api/site";
import { bootsQuery } from "../api/queries";
import { lastSign, milliseconds, place } from "../logic/queue";
import type { Row } from "../logic/row";
import { bytes, span } from "../logic/time";
import { Page } from "../parts/Page";
import { Gauge, Storm } from "../parts/Storm";
import { Ago, Moment, useNow } from "../parts/Time";
import { Empty, ErrorBox, Loaded, Waiting } from "../parts/Trouble";
import { type Column, VirtualTable } from "../parts/VirtualTable";
import { common } from "../words/common";
import { board as more } from "../words/operations";
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
const SHOWS = ["board", "late", "ended", "failed"] as const;

export function Boots() {
  const { show, find = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const site = useQuery(siteQuery);
  const chosen = SHOWS.find((known) => known === show) ?? "board";
  const open = chosen === "board" || chosen === "late";
  return (
    <Page
      title={words.title}
      calls={[
        { what: "Boots that go on", path: "boots?outcome=none", cli: "pilotlight get boots" },
        { what: "Boots that failed, newest first", path: "boots?outcome=failed" },
        { what: "Queues and links", path: "site" },
        { what: "As they happen", path: "events", cli: "pilotlight events --follow" },
      ]}
      aside={
        <SegmentedControl
          size="xs"
          aria-label={words.title}
          value={chosen}
          onChange={(value) =>
            void navigate({
              search: (before) => ({ ...before, show: value === "board" ? undefined : value }) as typeof before,
            })
          }
          data={SHOWS.map((value) => ({ value, label: more.show[value] }))}
        />
      }
    >
      {site.data && <Storm site={site.data} />}
      {open ? (
        <Board patience={milliseconds(site.data?.patience ?? "")} late={chosen === "late"} find={find} />
      ) : (
        <Ended failed={chosen === "failed"} find={find} />
      )}
    </Page>
  );
}

function Find({ find, children }: { find: string; children?: React.ReactNode }) {
  const navigate = route.useNavigate();
  return (
    <Group gap="sm" align="flex-end">
      <TextInput
        size="xs"
        w={{ base: "100%", sm: 240 }}
        label={more.find}
        placeholder={more.findHint}
        value={find}
        onChange={(event) => {
          const value = event.currentTarget.value;
          void navigate({ search: (before) => ({ ...before, find: value }), replace: true });
        }}
      />
      {children}
    </Group>
  );
}

const isFound = (boot: Boot, wanted: string) =>
  wanted === "" || boot.machine.includes(wanted) || boot.mac.includes(wanted) || (boot.address ?? "").includes(wanted);

/** One row for each machine that boots now, a cell for each phase. */
function Board({ patience, late, find }: { patience: number | undefined; late: boolean; find: string }) {
  const queries = useQueryClient();
  const fleet = useQuery(fleetQuery(queries));
  const now = useNow();
  if (fleet.isError) return <ErrorBox error={fleet.error} again={() => void fleet.refetch()} />;
  if (fleet.data === undefined) return <Waiting what={common.reading(words.reading)} />;
  const booting = fleet.data.rows.filter((row) => row.boot !== undefined);
  const wanted = find.trim().toLowerCase();
  const isLate = (boot: Boot) => patience !== undefined && now - lastSign(boot) > patience / 2;
  const rows = booting.filter(({ boot }) => boot && isFound(boot, wanted) && (!late || isLate(boot)));
  if (booting.length === 0) return <Empty title={words.none}>{words.noneHint}</Empty>;
  if (rows.length === 0 && late) return <Empty title={more.noneLate}>{more.noneLateHint}</Empty>;
  const queued = rows.some(({ boot }) => place(boot) !== undefined);
  const columns: Column<Row>[] = [
    {
      key: "name",
      title: words.machine,
      width: "minmax(110px, 1fr)",
      cell: (row) => (
        <Link to="/machines/$name" params={{ name: row.name }} search={{ tab: "boot" }}>
          {row.name}
        </Link>
      ),
    },
    { key: "age", title: words.age, width: "64px", end: true, cell: (row) => <Ago at={row.boot?.started} bare /> },
    ...(queued
      ? [{ key: "queue", title: more.queue, width: "60px", end: true, cell: (row: Row) => <Place boot={row.boot} /> }]
      : []),
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
      width: "minmax(600px, 6fr)",
      cell: (row) => row.boot && <Cells boot={row.boot} patience={patience} />,
    },
    {
      key: "deadline",
      title: more.deadline,
      width: "112px",
      cell: (row) => row.boot && patience !== undefined && <Deadline boot={row.boot} patience={patience} />,
    },
    { key: "loaded", title: words.loaded, width: "84px", end: true, cell: (row) => bytes(total(row.boot)) },
    { key: "rate", title: words.rate, width: "92px", end: true, cell: (row) => row.boot && <Rate boot={row.boot} /> },
    {
      key: "detail",
      title: words.detail,
      width: "minmax(140px, 2fr)",
      cell: ({ boot }) => {
        const detail = boot?.phases.at(-1)?.detail ?? "";
        return (
          <span className="dim" title={detail}>
            {detail}
          </span>
        );
      },
    },
  ];
  return (
    <>
      <Find find={find}>
        <Text size="sm" className="dim" role="status" mb={4}>
          {more.shown(rows.length, booting.length)}
        </Text>
      </Find>
      <VirtualTable label={words.boardTable} rows={rows} columns={columns} id={(row) => row.name} />
    </>
  );
}

function Place({ boot }: { boot: Boot | undefined }) {
  const at = place(boot);
  return at === undefined ? null : <span title={more.queueHint(at)}>{more.queued(at)}</span>;
}

/** How long it may still be silent before it counts as failed. */
function Deadline({ boot, patience }: { boot: Boot; patience: number }) {
  const silent = useNow() - lastSign(boot);
  const left = span(Math.max(0, patience - silent));
  const part = silent / patience;
  return (
    <span className="use" title={more.deadlineOf(left, span(silent))}>
      <Gauge part={part} tone={part > 0.8 ? "bad" : part > 0.5 ? "warn" : "busy"} />
      <span className={part > 0.5 ? "late nowrap" : "nowrap"}>{left}</span>
    </span>
  );
}

const total = (boot: Boot | undefined): number => boot?.phases.reduce((sum, phase) => sum + phase.bytes, 0) ?? 0;

function Cells({ boot, patience }: { boot: Boot; patience: number | undefined }) {
  const now = useNow();
  const isLate = patience !== undefined && now - lastSign(boot) > patience / 2;
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
        const state = current ? (isLate ? "now overdue" : "now") : there === undefined ? "" : "done";
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

function Ended({ failed, find }: { failed: boolean; find: string }) {
  const query = useQuery(failed ? failuresQuery : bootsQuery);
  const wanted = find.trim().toLowerCase();
  return (
    <Loaded query={query} what={common.reading(words.reading)}>
      {(all) => {
        const over = all.filter((boot) => boot.outcome !== null);
        const ended = over.filter((boot) => isFound(boot, wanted));
        if (over.length === 0)
          return failed ? (
            <Empty title={more.noneFailed}>{more.noneFailedHint}</Empty>
          ) : (
            <Empty title={words.noneEnded}>{words.noneHint}</Empty>
          );
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
            width: "80px",
            end: true,
            cell: (boot) => (boot.ended === null ? "" : span(Date.parse(boot.ended) - Date.parse(boot.started))),
          },
          { key: "loaded", title: words.loaded, width: "90px", end: true, cell: (boot) => bytes(total(boot)) },
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
            cell: ({ outcome, diagnosis }) =>
              outcome && (
                <span
                  className={outcome.result === "failed" ? "stage-failed" : undefined}
                  title={outcome.result === "failed" ? outcome.why : undefined}
                >
                  {diagnosis != null && `${diagnosis.code} · `}
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
        return (
          <>
            <Find find={find} />
            <VirtualTable label={words.endedTable} rows={ended} columns={columns} id={(boot) => boot.id} />
          </>
        );
      }}
    </Loaded>
  );
}
