/** How it goes at the site, and how boots go. */
import { queryOptions } from "@tanstack/react-query";
import { client, data } from "./client";

/** Rates and queues change without an event: they are asked for while somebody looks. */
const PAUSE = 5000;

export const siteQuery = queryOptions({
  queryKey: ["site"],
  refetchInterval: PAUSE,
  queryFn: () => data(client.GET("/api/v1/site")),
});

const DAY = 86_400_000;
const MINUTE = 60_000;

/** Boots that failed in the last 24 hours, newest first. */
export const failedQuery = queryOptions({
  // Under the boots: what happens to one asks for these again.
  queryKey: ["boots", "failed"],
  queryFn: async () => {
    const since = new Date(Math.floor((Date.now() - DAY) / MINUTE) * MINUTE).toISOString();
    return data(client.GET("/api/v1/boots", { params: { query: { outcome: "failed", since, limit: 1000 } } }));
  },
});

/** The newest boots that failed, however long ago. */
export const failuresQuery = queryOptions({
  queryKey: ["boots", "failures"],
  queryFn: async () =>
    (await data(client.GET("/api/v1/boots", { params: { query: { outcome: "failed", limit: 500 } } }))).items,
});

export type ClassBy = "profile" | "model";

export const mediansQuery = (name: string, by: ClassBy | undefined) =>
  queryOptions({
    queryKey: ["about", name, "medians", by],
    queryFn: () =>
      data(
        client.GET("/api/v1/machines/{name}/medians", {
          params: { path: { name }, query: by === undefined ? {} : { by } },
        }),
      ),
  });
