/** What pages ask for, each with the key under which the live stream finds it. */
import { queryOptions } from "@tanstack/react-query";
import { client, data, type Event, getOf, type List, type Plural, type Resource, type Revision } from "./client";

const LARGEST = 5000;

export const machineQuery = (name: string) =>
  queryOptions({
    queryKey: ["machine", name],
    queryFn: () => data(client.GET("/api/v1/machines/{name}", { params: { path: { name } } })),
  });

export const explainQuery = (name: string) =>
  queryOptions({
    queryKey: ["about", name, "explain"],
    queryFn: () => data(client.GET("/api/v1/machines/{name}/explain", { params: { path: { name } } })),
  });

export const machineEventsQuery = (name: string) =>
  queryOptions({
    queryKey: ["about", name, "events"],
    queryFn: async () =>
      (await getOf<List<Event>>(`events?limit=1000&object=machine/${encodeURIComponent(name)}`)).items,
  });

export const machineBootsQuery = (name: string) =>
  queryOptions({
    queryKey: ["about", name, "boots"],
    queryFn: async () =>
      (await data(client.GET("/api/v1/boots", { params: { query: { machine: name, limit: 50 } } }))).items,
  });

export const bootsQuery = queryOptions({
  queryKey: ["boots"],
  queryFn: async () => (await data(client.GET("/api/v1/boots", { params: { query: { limit: 500 } } }))).items,
});

export const bootQuery = (id: string) =>
  queryOptions({
    queryKey: ["boot", id],
    queryFn: () => data(client.GET("/api/v1/boots/{id}", { params: { path: { id } } })),
  });

export const consoleQuery = (id: string) =>
  queryOptions({
    queryKey: ["boot", id, "console"],
    queryFn: async () =>
      (await data(client.GET("/api/v1/boots/{id}/console", { params: { path: { id }, query: { limit: LARGEST } } })))
        .items,
  });

export const eventsQuery = (object: string | undefined) =>
  queryOptions({
    // Only the list of everything is kept up by the stream itself; one object's is asked for again.
    queryKey: object === undefined ? ["events", "newest"] : ["about", object.split("/")[1] ?? "", "events", object],
    queryFn: async () =>
      (
        await getOf<List<Event>>(
          `events?limit=1000${object === undefined ? "" : `&object=${encodeURIComponent(object)}`}`,
        )
      ).items,
  });

export const listQuery = <T extends Resource>(kind: Plural) =>
  queryOptions({
    queryKey: ["resources", kind],
    queryFn: async () => (await getOf<List<T>>(`${kind}?limit=${LARGEST}`)).items,
  });

export const resourceQuery = <T extends Resource>(kind: Plural, name: string) =>
  queryOptions({
    queryKey: ["resources", kind, name],
    queryFn: () => getOf<T>(`${kind}/${encodeURIComponent(name)}`),
  });

export const revisionsQuery = (kind: Plural, name: string) =>
  queryOptions({
    queryKey: ["resources", kind, name, "revisions"],
    queryFn: async () => (await getOf<List<Revision>>(`${kind}/${encodeURIComponent(name)}/revisions?limit=500`)).items,
  });

export const revisionQuery = (kind: Plural, name: string, revision: number) =>
  queryOptions({
    queryKey: ["resources", kind, name, "revisions", revision],
    staleTime: Infinity,
    queryFn: () => getOf<Revision>(`${kind}/${encodeURIComponent(name)}/revisions/${revision}`),
  });

export const tokensQuery = queryOptions({
  queryKey: ["resources", "tokens"],
  queryFn: async () => (await data(client.GET("/api/v1/tokens"))).items,
});
