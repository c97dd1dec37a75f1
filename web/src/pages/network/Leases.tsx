import { Group, Select, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import type { Lease, LeaseState, Subnet } from "../../api/client";
import { leasesQuery } from "../../api/more";
import { listQuery } from "../../api/queries";
import { Ago, Moment, useNow } from "../../parts/Time";
import { Empty, Loaded } from "../../parts/Trouble";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { common } from "../../words/common";
import { addresses } from "../../words/network";

const words = addresses.leases;
const route = getRouteApi("/network");
const STATES: readonly LeaseState[] = ["leased", "offered", "abandoned", "ended"];

const COLUMNS: readonly Column<Lease>[] = [
  {
    key: "address",
    title: words.address,
    width: "minmax(130px, 1fr)",
    cell: (lease) => <span className="mono">{lease.address}</span>,
  },
  {
    key: "state",
    title: words.state,
    width: "110px",
    cell: (lease) => (
      <span className={`state-${lease.state}`} title={addresses.stateHints[lease.state]}>
        {addresses.states[lease.state]}
      </span>
    ),
  },
  {
    key: "machine",
    title: words.machine,
    width: "minmax(120px, 1fr)",
    cell: (lease) =>
      lease.machine != null && (
        <Link to="/machines/$name" params={{ name: lease.machine }}>
          {lease.machine}
        </Link>
      ),
  },
  {
    key: "mac",
    title: words.mac,
    width: "minmax(150px, 1fr)",
    cell: (lease) => <span className="mono">{lease.mac ?? lease.client ?? common.none}</span>,
  },
  {
    key: "subnet",
    title: words.subnet,
    width: "minmax(110px, 1fr)",
    cell: (lease) => (
      <Link to="/network/$name" params={{ name: lease.subnet }}>
        {lease.subnet}
      </Link>
    ),
  },
  { key: "ends", title: words.ends, width: "150px", cell: (lease) => <Ends lease={lease} /> },
];

function Ends({ lease }: { lease: Lease }) {
  const now = useNow();
  if (Date.parse(lease.expires) < now) return <Ago at={lease.expires} />;
  return <Moment at={lease.expires} />;
}

export function Leases() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const subnets = useQuery(listQuery<Subnet>("subnets"));
  const query = useQuery(leasesQuery({ subnet: search.subnet, state: search.state }));
  const set = (change: Partial<Record<"find" | "subnet" | "state", string | undefined>>) =>
    void navigate({ search: (before) => ({ ...before, ...change }) as never, replace: true });
  const wanted = (search.find ?? "").trim().toLowerCase();
  return (
    <>
      <Group align="flex-end" gap="sm" mb="sm">
        <TextInput
          size="xs"
          w={{ base: "100%", sm: 240 }}
          label={words.find}
          placeholder={words.findHint}
          value={search.find ?? ""}
          onChange={(event) => set({ find: event.currentTarget.value })}
        />
        <Select
          size="xs"
          w={{ base: "100%", sm: 180 }}
          label={words.subnet}
          placeholder={words.anySubnet}
          clearable
          searchable
          value={search.subnet ?? null}
          data={subnets.data?.map((one) => one.name) ?? []}
          onChange={(value) => set({ subnet: value ?? undefined })}
        />
        <Select
          size="xs"
          w={{ base: "100%", sm: 180 }}
          label={words.state}
          placeholder={words.anyState}
          clearable
          value={search.state ?? null}
          data={STATES.map((value) => ({ value, label: addresses.states[value] }))}
          onChange={(value) => set({ state: value ?? undefined })}
        />
      </Group>
      <Loaded query={query} what={common.reading(addresses.readingLeases)}>
        {({ items, next }) => {
          const shown = items.filter(
            (lease) =>
              wanted === "" ||
              [lease.address, lease.mac, lease.client, lease.machine]
                .filter(Boolean)
                .some((text) => text?.toLowerCase().includes(wanted)),
          );
          if (items.length === 0 && !search.state && !search.subnet)
            return <Empty title={words.none}>{words.noneHint}</Empty>;
          if (shown.length === 0) return <Empty title={words.noneFound}>{words.noneFoundHint}</Empty>;
          return (
            <>
              <Text size="sm" className="dim" role="status">
                {words.shown(shown.length, items.length)} {next != null && words.more}
              </Text>
              <VirtualTable label={words.table} rows={shown} columns={COLUMNS} id={(one) => one.address} />
            </>
          );
        }}
      </Loaded>
    </>
  );
}
