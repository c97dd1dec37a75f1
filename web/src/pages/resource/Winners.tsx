import { Select, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import type { GroupMachine, MachineGroup } from "../../api/client";
import { fleetQuery } from "../../api/fleet";
import { groupsOfMachineQuery, machinesOfGroupQuery } from "../../api/more";
import { Icon } from "../../parts/Icon";
import { type PlainColumn, PlainTable } from "../../parts/PlainTable";
import { Empty, Loaded } from "../../parts/Trouble";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { common } from "../../words/common";
import { winners as words } from "../../words/profiles";

const route = getRouteApi("/groups");
const OFFERED = 200;

/** Every group that takes a machine, in their order, and why the first of them counts. */
export function WinnerForMachine() {
  const { machine } = route.useSearch();
  const navigate = route.useNavigate();
  const rows = useQuery(fleetQuery(useQueryClient())).data?.rows ?? [];
  return (
    <section className="panel" aria-label={words.heading}>
      <h2>{words.heading}</h2>
      <Select
        size="xs"
        w={{ base: "100%", sm: 260 }}
        label={words.choose}
        description={words.chooseHint}
        searchable
        clearable
        limit={OFFERED}
        value={machine ?? null}
        data={rows.map((row) => row.name)}
        onChange={(value) => void navigate({ search: { machine: value ?? undefined } as never, replace: true })}
      />
      {machine !== undefined && <Groups machine={machine} />}
    </section>
  );
}

function Groups({ machine }: { machine: string }) {
  const query = useQuery(groupsOfMachineQuery(machine));
  return (
    <Loaded query={query} what={common.reading(words.reading)}>
      {(groups) =>
        groups.length === 0 ? (
          <Empty title={words.none}>{words.noneHint}</Empty>
        ) : (
          <PlainTable label={words.table} rows={groups} columns={ORDER} id={(one) => one.group} />
        )
      }
    </Loaded>
  );
}

const ORDER: readonly PlainColumn<MachineGroup>[] = [
  {
    title: words.group,
    names: true,
    cell: (one) => (
      <Link to="/groups/$name" params={{ name: one.group }}>
        {one.group}
      </Link>
    ),
  },
  { title: words.winner, cell: (one) => <Counts wins={one.wins} /> },
  {
    title: words.profile,
    cell: (one) => (
      <Link to="/profiles/$name" params={{ name: one.profile }}>
        {one.profile}
      </Link>
    ),
  },
  { title: words.priority, cell: (one) => one.priority },
  { title: words.because, cell: (one) => one.because },
];

function Counts({ wins }: { wins: boolean }) {
  return wins ? (
    <span className="stage-active nowrap">
      <Icon name="check" size={13} /> {words.counts}
    </span>
  ) : (
    <span className="dim nowrap">{words.loses}</span>
  );
}

const COLUMNS: readonly Column<GroupMachine>[] = [
  {
    key: "machine",
    title: words.machine,
    width: "minmax(130px, 1fr)",
    cell: (one) => (
      <Link to="/machines/$name" params={{ name: one.machine }}>
        {one.machine}
      </Link>
    ),
  },
  { key: "wins", title: words.winner, width: "130px", cell: (one) => <Counts wins={one.wins} /> },
  {
    key: "winner",
    title: words.group,
    width: "minmax(130px, 1fr)",
    cell: (one) => (
      <Link to="/groups/$name" params={{ name: one.winner }}>
        {one.winner}
      </Link>
    ),
  },
  {
    key: "because",
    title: words.because,
    width: "minmax(260px, 3fr)",
    cell: (one) => (
      <Link to="/groups" search={{ machine: one.machine }} title={one.because} className="quiet">
        {one.because}
      </Link>
    ),
  },
];

/** The machines that a group takes, and which group counts for each. */
export function MachinesOfGroup({ name }: { name: string }) {
  const query = useQuery(machinesOfGroupQuery(name));
  return (
    <Loaded query={query} what={common.reading(words.reading)}>
      {(machines) => {
        if (machines.length === 0) return <Empty title={words.noMachines}>{words.noMachinesHint}</Empty>;
        // Those that it loses are what somebody looks for.
        const order = [...machines].sort((a, b) => Number(a.wins) - Number(b.wins));
        return (
          <>
            <Text size="sm" mb="xs" role="status">
              {words.summary(machines.filter((one) => one.wins).length, machines.length)}
            </Text>
            <VirtualTable label={words.machines} rows={order} columns={COLUMNS} id={(one) => one.machine} />
          </>
        );
      }}
    </Loaded>
  );
}
