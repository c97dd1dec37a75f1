import { Autocomplete, Button, Group, Menu, Text, TextInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, getRouteApi } from "@tanstack/react-router";
import { useDeferredValue, useMemo, useState } from "react";
import type { MachineAction } from "../api/client";
import { fleetQuery, useRead } from "../api/fleet";
import { useForbidden } from "../api/rights";
import type { Call } from "../logic/code";
import { field, type Row, type SortKey, sorted, vocabulary } from "../logic/row";
import { completions, holds, parseSelector } from "../logic/selector";
import { csv, download } from "../logic/table";
import { ActionDialog, ActionMenu } from "../parts/Actions";
import { Icon } from "../parts/Icon";
import { Views } from "../parts/Views";
import { Page } from "../parts/Page";
import { StageMark } from "../parts/Stage";
import { Ago } from "../parts/Time";
import { Empty, ErrorBox, Waiting } from "../parts/Trouble";
import { type Column, VirtualTable } from "../parts/VirtualTable";
import { common } from "../words/common";
import { machines as words } from "../words/machines";

const route = getRouteApi("/machines");

type MachineColumn = Column<Row> & { text: (row: Row) => string };

const doing = (row: Row): string => {
  if (row.boot !== undefined) return common.phases[row.boot.phases.at(-1)?.phase ?? ""] ?? "";
  return row.bootResult === undefined ? "" : (common.outcome(row.bootResult, "").split(":")[0] ?? "");
};
const profileText = (row: Row) =>
  row.profile === undefined ? "" : `${row.profile}@${row.running ?? row.desired ?? "?"}`;
const labelText = (row: Row) =>
  Object.entries(row.labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(", ");

const COLUMNS: readonly MachineColumn[] = [
  {
    key: "name",
    title: words.column.name,
    width: "minmax(130px, 1.4fr)",
    sortable: true,
    text: (row) => row.name,
    cell: (row) => (
      <Link to="/machines/$name" params={{ name: row.name }}>
        {row.name}
      </Link>
    ),
  },
  {
    key: "stage",
    title: words.column.stage,
    width: "minmax(170px, 1.5fr)",
    sortable: true,
    text: (row) => row.stage,
    cell: (row) => (
      <Group gap={6} wrap="nowrap" title={row.hold ?? row.why}>
        <StageMark stage={row.stage} />
        {row.hold !== undefined && (
          <span className="tag tag-warn">
            <Icon name="lock" size={11} />
            {common.hold}
          </span>
        )}
        {row.drift && (
          <span className="tag tag-warn">
            <Icon name="drift" size={11} />
            {common.drift}
          </span>
        )}
        {row.conflicts > 0 && (
          <span className="tag tag-bad">
            <Icon name="warning" size={11} />
          </span>
        )}
        {row.why !== undefined && <span className="dim">{row.why}</span>}
      </Group>
    ),
  },
  { key: "boot", title: words.column.boot, width: "110px", text: doing, cell: doing },
  {
    key: "rack",
    title: words.column.rack,
    width: "70px",
    sortable: true,
    text: (row) => [row.rack, row.unit].filter((x) => x !== undefined).join("/"),
    cell: (row) => [row.rack, row.unit].filter((x) => x !== undefined).join("/"),
  },
  {
    key: "profile",
    title: words.column.profile,
    width: "minmax(110px, 1fr)",
    sortable: true,
    text: profileText,
    cell: (row) =>
      row.profile === undefined ? (
        <span className="dim">{common.none}</span>
      ) : (
        <Link to="/profiles/$name" params={{ name: row.profile }}>
          {profileText(row)}
        </Link>
      ),
  },
  {
    key: "address",
    title: words.column.address,
    width: "120px",
    sortable: true,
    text: (row) => row.address ?? row.reserved ?? "",
    cell: (row) => <span className="mono">{row.address ?? row.reserved}</span>,
  },
  {
    key: "macs",
    title: words.column.macs,
    width: "150px",
    text: (row) => row.macs.join(" "),
    cell: (row) => (
      <span className="mono">
        {row.macs[0]}
        {row.macs.length > 1 && ` +${row.macs.length - 1}`}
      </span>
    ),
  },
  {
    key: "serial",
    title: words.column.serial,
    width: "120px",
    sortable: true,
    text: (row) => row.serial ?? "",
    cell: (row) => row.serial,
  },
  {
    key: "product",
    title: words.column.product,
    width: "minmax(130px, 1fr)",
    sortable: true,
    text: (row) => row.product ?? "",
    cell: (row) => row.product,
  },
  {
    key: "since",
    title: words.column.since,
    width: "75px",
    sortable: true,
    text: (row) => row.since,
    cell: (row) => <Ago at={row.since} bare />,
  },
  {
    key: "seen",
    title: words.column.seen,
    width: "110px",
    sortable: true,
    text: (row) => row.seen ?? "",
    cell: (row) => <Ago at={row.seen} />,
  },
  { key: "power", title: words.column.power, width: "90px", text: (row) => row.power, cell: (row) => row.power },
  {
    key: "labels",
    title: words.column.labels,
    width: "minmax(160px, 1.5fr)",
    text: labelText,
    cell: (row) => <span className="dim">{labelText(row)}</span>,
  },
];

const USUAL = "name,stage,boot,rack,profile,address,macs,since,seen";
const NARROW = "name,stage";

export function Machines() {
  const queries = useQueryClient();
  const fleet = useQuery(fleetQuery(queries));
  const read = useRead();
  const asked = route.useSearch();
  const navigate = route.useNavigate();
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [action, setAction] = useState<MachineAction>();
  const forbidden = useForbidden();

  const set = (change: Partial<Record<"find" | "selector" | "sort" | "columns", string>>) =>
    void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const find = asked.find ?? "";
  const selector = asked.selector ?? "";
  const sort = asked.sort ?? "name";
  const key = sort.replace(/^-/, "") as SortKey;
  const shown = (asked.columns ?? (window.innerWidth < 700 ? NARROW : USUAL)).split(",");
  const columns = COLUMNS.filter((column) => shown.includes(column.key));

  const all = fleet.data?.rows;
  const known = useMemo(() => vocabulary(all ?? []), [all]);
  const wanted = useDeferredValue(find.trim().toLowerCase());
  const meant = useDeferredValue(selector);
  const terms = useMemo(() => parseSelector(meant), [meant]);
  const rows = useMemo(() => {
    const taken = (all ?? []).filter(
      (row) =>
        (wanted === "" || row.search.includes(wanted)) &&
        (typeof terms === "string" || holds(terms, (name) => field(row, name))),
    );
    // They come sorted by name as programs sort; people count.
    return sorted(taken, key, sort.startsWith("-"));
  }, [all, wanted, terms, key, sort]);

  const query = selector === "" ? "machines" : `machines?selector=${encodeURIComponent(selector)}`;
  const calls: Call[] = [
    {
      what: "The machines",
      path: query,
      cli: selector === "" ? "pilotlight get machines" : `pilotlight get machines -l '${selector}'`,
    },
    {
      what: "Hold a whole rack, only to see what would happen",
      method: "POST",
      path: "machines/actions",
      body: { action: "hold", selector: selector || "rack=r1", reason: "the switch", dry_run: true },
      cli: `pilotlight machine hold -l '${selector || "rack=r1"}' --reason 'the switch' --dry-run`,
    },
  ];
  const toggle = (name: string) => {
    const next = new Set(selected);
    if (!next.delete(name)) next.add(name);
    setSelected(next);
  };
  const save = (type: "csv" | "json") => {
    if (type === "json")
      download(
        "machines.json",
        "application/json",
        `${JSON.stringify(
          rows.map(({ search, ...row }) => row),
          null,
          2,
        )}\n`,
      );
    else
      download(
        "machines.csv",
        "text/csv",
        csv(
          columns.map((column) => column.title),
          rows.map((row) => columns.map((column) => column.text(row))),
        ),
      );
  };

  // Off only if it is forbidden on each of them: what is forbidden on some, the preview says of each.
  const chosen = selected.size === 0 ? [] : (all ?? []).filter((row) => selected.has(row.name));
  const reason = (one: MachineAction): string | undefined => {
    let first: string | undefined;
    for (const row of chosen) {
      const why = forbidden(one, "Machine", (name) => field(row, name));
      if (why === undefined) return undefined;
      first ??= why;
    }
    return first;
  };

  const tools = (
    <>
      <Views search={asked} />
      <Menu closeOnItemClick={false}>
        <Menu.Target>
          <Button size="xs" variant="default">
            {words.columns}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {COLUMNS.map((column) => (
            <Menu.CheckboxItem
              key={column.key}
              checked={shown.includes(column.key)}
              disabled={column.key === "name"}
              onChange={() =>
                set({
                  columns: (shown.includes(column.key)
                    ? shown.filter((one) => one !== column.key)
                    : [...shown, column.key]
                  ).join(","),
                })
              }
            >
              {column.title}
            </Menu.CheckboxItem>
          ))}
        </Menu.Dropdown>
      </Menu>
      <Menu>
        <Menu.Target>
          <Button size="xs" variant="default">
            {words.export}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => save("csv")}>{words.exportCsv}</Menu.Item>
          <Menu.Item onClick={() => save("json")}>{words.exportJson}</Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </>
  );

  return (
    <Page title={words.title} aside={tools} calls={calls}>
      <Group gap="sm" align="flex-start">
        <TextInput
          size="xs"
          w={{ base: "100%", sm: 260 }}
          label={words.find}
          placeholder={words.findHint}
          value={find}
          onChange={(event) => set({ find: event.currentTarget.value })}
        />
        <Autocomplete
          size="xs"
          w={{ base: "100%", sm: 340 }}
          label={words.selector}
          placeholder={words.selectorHint}
          value={selector}
          onChange={(value) => set({ selector: value })}
          data={completions(selector, known)}
          filter={({ options }) => options}
          error={typeof terms === "string" ? terms : undefined}
        />
        {all !== undefined && (
          <Text size="sm" className="dim" mt={{ base: 0, sm: 26 }} role="status">
            {words.shown(rows.length, all.length)}
          </Text>
        )}
      </Group>
      {fleet.isError && <ErrorBox error={fleet.error} again={() => void fleet.refetch()} />}
      {fleet.isPending && <Waiting what={read === 0 ? common.reading(words.reading) : common.readingMachines(read)} />}
      {all?.length === 0 && (
        <Empty title={words.none}>
          {words.noneHint} <Link to="/start">{words.first}</Link>
        </Empty>
      )}
      {all !== undefined && all.length > 0 && rows.length === 0 && (
        <Empty title={words.noneFound}>
          {words.noneFoundHint} <Link to="/machines">{words.showAll}</Link>
        </Empty>
      )}
      {rows.length > 0 && (
        <VirtualTable
          label={words.table}
          rows={rows}
          columns={columns}
          id={(row) => row.name}
          sort={{
            key,
            descending: sort.startsWith("-"),
            by: (by) => set({ sort: by === key && !sort.startsWith("-") ? `-${by}` : by }),
          }}
          selection={{
            selected,
            toggle,
            toggleAll: () => setSelected(selected.size > 0 ? new Set() : new Set(rows.map((row) => row.name))),
            rowLabel: (row) => words.selectRow(row.name),
            allLabel: words.selectAll,
          }}
        />
      )}
      {selected.size > 0 && (
        <Group className="bulk" gap="sm" role="region" aria-label={words.selected(selected.size)}>
          <Text size="sm" fw={600}>
            {words.selected(selected.size)}
          </Text>
          <ActionMenu choose={setAction} reason={reason} />
          <Button size="xs" variant="default" onClick={() => setSelected(new Set())}>
            {words.clear}
          </Button>
        </Group>
      )}
      {action !== undefined && (
        <ActionDialog
          action={action}
          names={[...selected]}
          close={(done) => {
            setAction(undefined);
            if (done) setSelected(new Set());
          }}
        />
      )}
    </Page>
  );
}
