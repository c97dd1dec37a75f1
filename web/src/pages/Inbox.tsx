import { Button, Group, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import type { InboxRow, InboxState, MachineAction } from "../api/client";
import { inboxQuery } from "../api/inbox";
import { useForbidden } from "../api/rights";
import { bytes } from "../logic/time";
import { ActionButton, ActionDialog, ActionMenu } from "../parts/Actions";
import { Page } from "../parts/Page";
import { Ago, Moment } from "../parts/Time";
import { Empty, Loaded } from "../parts/Trouble";
import { type Column, VirtualTable } from "../parts/VirtualTable";
import { common } from "../words/common";
import { inbox as words } from "../words/inbox";
import { AcceptDialog } from "./inbox/Accept";

const route = getRouteApi("/inbox");
const STATES: readonly InboxState[] = ["discovered", "unexpected", "missing", "duplicate", "held", "mismatch"];

export function InboxPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const state = STATES.find((known) => known === search.state);
  const query = useQuery(inboxQuery(state));
  const [accepting, setAccepting] = useState<InboxRow>();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [acting, setActing] = useState<MachineAction>();
  const forbidden = useForbidden();
  const again = () => void queries.invalidateQueries({ queryKey: ["inbox"] });
  const counts = query.data?.counts ?? {};
  const show = (next: InboxState | undefined) => {
    setChosen(new Set());
    void navigate({ search: { state: next } as never });
  };
  return (
    <Page
      title={words.title}
      calls={[
        {
          what: words.table,
          path: `inbox${state === undefined ? "" : `?state=${state}`}`,
          cli: `pilotlight inbox${state === undefined ? "" : ` --state ${state}`}`,
        },
        {
          what: words.accept.go,
          method: "POST",
          path: `machines/${query.data?.items.find((row) => row.accept != null)?.name ?? "NAME"}/accept`,
          cli: `pilotlight machine accept ${query.data?.items.find((row) => row.accept != null)?.name ?? "NAME"} --as n1 --labels role=worker`,
        },
        { what: words.hints.missing, path: "expectedmachines", cli: "pilotlight expected import FILE.csv" },
      ]}
    >
      <Group gap={6} role="group" aria-label={words.show}>
        {[undefined, ...STATES].map((value) => (
          <Button
            key={value ?? "all"}
            size="xs"
            variant={value === state ? "filled" : "default"}
            aria-pressed={value === state}
            title={value === undefined ? undefined : words.hints[value]}
            onClick={() => show(value)}
          >
            {value === undefined ? words.all : words.tab(words.states[value], counts[value] ?? 0)}
          </Button>
        ))}
      </Group>
      <Loaded query={query} what={common.reading(words.reading)}>
        {({ items, next }) => {
          if (items.length === 0)
            return state === undefined ? (
              <Empty title={words.none}>{words.noneHint}</Empty>
            ) : (
              <Empty title={words.noneHere}>
                <Link to="/inbox">{words.noneHereHint}</Link>
              </Empty>
            );
          const machines = items.filter((row) => row.kind === "Machine");
          const names = machines.map((row) => row.name).filter((name) => chosen.has(name));
          return (
            <>
              <Group gap="sm" mih={30}>
                <Text size="sm" className="dim" role="status">
                  {names.length > 0
                    ? words.selected(names.length)
                    : `${words.shown(items.length, items.length)}${next == null ? "" : " …"}`}
                </Text>
                {names.length > 0 && (
                  <ActionMenu choose={setActing} reason={(action) => forbidden(action, "Machine")} />
                )}
              </Group>
              <VirtualTable
                label={words.table}
                rows={items}
                columns={columns(setAccepting, forbidden)}
                id={(row) => `${row.kind}/${row.name}`}
                rowHeight={40}
                selection={{
                  selected: new Set(names.map((name) => `Machine/${name}`)),
                  toggle: (id) => setChosen((before) => toggled(before, id.slice(id.indexOf("/") + 1))),
                  toggleAll: () =>
                    setChosen(names.length === machines.length ? new Set() : new Set(machines.map((row) => row.name))),
                  rowLabel: (row) => words.selectRow(row.name),
                  allLabel: words.selectAll,
                }}
              />
              {acting !== undefined && (
                <ActionDialog
                  action={acting}
                  names={names}
                  close={() => {
                    setActing(undefined);
                    setChosen(new Set());
                    again();
                  }}
                />
              )}
            </>
          );
        }}
      </Loaded>
      {accepting !== undefined && (
        <AcceptDialog
          row={accepting}
          close={() => {
            setAccepting(undefined);
            again();
          }}
        />
      )}
    </Page>
  );
}

function toggled(before: ReadonlySet<string>, name: string): ReadonlySet<string> {
  const after = new Set(before);
  if (!after.delete(name)) after.add(name);
  return after;
}

function columns(accept: (row: InboxRow) => void, forbidden: ReturnType<typeof useForbidden>): Column<InboxRow>[] {
  return [
    {
      key: "name",
      title: words.name,
      width: "minmax(150px, 1fr)",
      cell: (row) =>
        row.kind === "Machine" ? (
          <Link to="/machines/$name" params={{ name: row.name }}>
            {row.name}
          </Link>
        ) : (
          <span title={words.notMachines}>{row.name}</span>
        ),
    },
    {
      key: "state",
      title: words.state,
      width: "minmax(160px, 1fr)",
      cell: (row) => (
        <Group gap={4}>
          {row.states.map((state) => (
            <span key={state} className="tag tag-warn" title={words.hints[state]}>
              {words.states[state]}
            </span>
          ))}
        </Group>
      ),
    },
    {
      key: "hardware",
      title: words.hardware,
      width: "minmax(200px, 2fr)",
      cell: (row) => <span title={hardware(row)}>{hardware(row)}</span>,
    },
    {
      key: "place",
      title: words.place,
      width: "80px",
      cell: ({ summary: { rack, unit } }) => (rack == null ? "" : unit == null ? rack : words.unit(rack, unit)),
    },
    { key: "since", title: words.since, width: "80px", end: true, cell: (row) => <Ago at={row.since} bare /> },
    {
      key: "why",
      title: words.why,
      width: "minmax(240px, 3fr)",
      cell: (row) => (
        <span title={row.why.join("\n")}>
          {row.why.join("; ")}
          {row.hold?.until != null && (
            <>
              {" "}
              {words.until} <Moment at={row.hold.until} />
            </>
          )}
        </span>
      ),
    },
    {
      key: "becomes",
      title: words.becomes,
      width: "minmax(120px, 1fr)",
      cell: ({ accept: as }) =>
        as != null && <span>{as.profile == null ? as.name : words.armed(as.name, as.profile)}</span>,
    },
    {
      key: "accept",
      title: words.accept.go,
      width: "96px",
      cell: (row) =>
        row.accept != null && (
          <ActionButton
            label={words.accept.button}
            reason={forbidden("accept", "Machine")}
            onClick={() => accept(row)}
          />
        ),
    },
  ];
}

function hardware({ summary }: InboxRow): string {
  const parts = [
    summary.model,
    summary.serial,
    summary.cores == null ? undefined : words.cores(summary.cores),
    summary.memory_bytes == null ? undefined : bytes(summary.memory_bytes),
    summary.disks == null ? undefined : words.disks(summary.disks),
    (summary.macs ?? [])[0],
  ];
  return parts.filter((part) => part != null).join(", ");
}
