/** What the pages of configuration ask for beside the lists of resources. */
import { queryOptions } from "@tanstack/react-query";
import {
  client,
  data,
  type Delivery,
  type FirmwareRow,
  getOf,
  type GroupMachine,
  type Lease,
  type List,
  type MachineGroup,
  type Operation,
  type Role,
  type SubnetUse,
} from "./client";

const LARGEST = 5000;
/** Leases change with every packet and have no events of their own: they are asked for again while somebody looks. */
const LOOK = 5000;

export const networkQuery = queryOptions({
  queryKey: ["network"],
  refetchInterval: LOOK,
  queryFn: async () => (await getOf<List<SubnetUse>>("network")).items,
});

export interface LeaseFilter {
  subnet?: string | undefined;
  state?: string | undefined;
}

export const leasesQuery = (filter: LeaseFilter) =>
  queryOptions({
    queryKey: ["leases", filter.subnet ?? "", filter.state ?? ""],
    refetchInterval: LOOK,
    queryFn: ({ signal }) => {
      const query = new URLSearchParams({ limit: String(LARGEST) });
      if (filter.subnet) query.set("subnet", filter.subnet);
      if (filter.state) query.set("state", filter.state);
      return getOf<List<Lease>>(`leases?${query.toString()}`, signal);
    },
  });

export const firmwareQuery = queryOptions({
  queryKey: ["resources", "firmware"],
  queryFn: async () => (await getOf<List<FirmwareRow>>(`firmware?limit=${LARGEST}`)).items,
});

export const groupsOfMachineQuery = (machine: string) =>
  queryOptions({
    queryKey: ["about", machine, "groups"],
    staleTime: 0,
    queryFn: async () => (await getOf<List<MachineGroup>>(`machines/${encodeURIComponent(machine)}/groups`)).items,
  });

export const machinesOfGroupQuery = (group: string) =>
  queryOptions({
    queryKey: ["resources", "groups", group, "machines"],
    staleTime: 0,
    queryFn: async () => {
      const all: GroupMachine[] = [];
      let cursor: string | undefined;
      do {
        const from: string = cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`;
        const page: List<GroupMachine> = await getOf(
          `groups/${encodeURIComponent(group)}/machines?limit=${LARGEST}${from}`,
        );
        all.push(...page.items);
        cursor = page.next ?? undefined;
      } while (cursor !== undefined);
      return all;
    },
  });

export const webhookStatusQuery = (name: string) =>
  queryOptions({
    queryKey: ["resources", "webhooks", name, "status"],
    refetchInterval: LOOK,
    queryFn: () => data(client.GET("/api/v1/webhooks/{name}/status", { params: { path: { name } } })),
  });

export const deliveriesQuery = (name: string, state: string | undefined) =>
  queryOptions({
    queryKey: ["resources", "webhooks", name, "deliveries", state ?? ""],
    refetchInterval: LOOK,
    queryFn: async () =>
      (
        await getOf<List<Delivery>>(
          `webhooks/${encodeURIComponent(name)}/deliveries?limit=500${state === undefined ? "" : `&state=${state}`}`,
        )
      ).items,
  });

export const usersQuery = queryOptions({
  queryKey: ["resources", "users"],
  queryFn: async () => (await data(client.GET("/api/v1/users"))).items,
});

export const rolesQuery = queryOptions({
  queryKey: ["resources", "roles"],
  queryFn: async () => (await getOf<List<Role>>(`roles?limit=${LARGEST}`)).items,
});

export const systemQuery = queryOptions({
  queryKey: ["system"],
  staleTime: 0,
  queryFn: () => data(client.GET("/api/v1/system")),
});

export const tasksQuery = queryOptions({
  queryKey: ["tasks"],
  refetchInterval: LOOK,
  queryFn: async () => (await data(client.GET("/api/v1/tasks"))).items,
});

export const findingsQuery = queryOptions({
  queryKey: ["doctor"],
  staleTime: 0,
  queryFn: () => data(client.GET("/api/v1/doctor")),
});

/** Asked for every second while something goes on. */
export const operationsQuery = queryOptions({
  queryKey: ["operations"],
  refetchInterval: (query) => (query.state.data?.some((one) => one.state === "running") === true ? 1000 : LOOK),
  queryFn: async () => (await getOf<List<Operation>>("operations")).items,
});
