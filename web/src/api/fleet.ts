/** All machines, read page by page into the query cache; the live stream keeps them as they are. */
import { type QueryClient, queryOptions, useQuery } from "@tanstack/react-query";
import { type Row, rowOf } from "../logic/row";
import { client, data, getOf, type List, type Machine, Refused } from "./client";

const PAGE = 5000;
/** From so many changed machines on, the list is read anew. */
const MANY = 60;
const AT_ONCE = 6;

export interface Fleet {
  rows: Row[];
}

/** How many were read so far, while the list is read. */
export const PROGRESS = ["fleet", "progress"] as const;

export const fleetQuery = (queries: QueryClient) =>
  queryOptions({
    queryKey: ["fleet", "rows"],
    staleTime: Infinity,
    queryFn: async ({ signal }): Promise<Fleet> => {
      const rows: Row[] = [];
      let cursor: string | undefined;
      do {
        const from: string = cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`;
        const page: List<Machine> = await getOf(`machines?limit=${PAGE}${from}`, signal);
        for (const machine of page.items) rows.push(rowOf(machine));
        cursor = page.next ?? undefined;
        queries.setQueryData(PROGRESS, rows.length);
      } while (cursor !== undefined);
      return { rows };
    },
  });

export const useRead = () => useQuery<number>({ queryKey: PROGRESS, queryFn: () => 0, enabled: false }).data ?? 0;

/** Takes in what happened to these machines. */
export async function refresh(queries: QueryClient, names: ReadonlySet<string>): Promise<void> {
  const shown = queries.getQueriesData<Machine>({ queryKey: ["machine"] }).map(([key]) => String(key[1]));
  if (names.size > MANY) {
    await Promise.all([
      queries.invalidateQueries({ queryKey: ["fleet", "rows"] }, { cancelRefetch: false }),
      ...shown
        .filter((name) => names.has(name))
        .map((name) => queries.invalidateQueries({ queryKey: ["machine", name] })),
    ]);
    return;
  }
  const changed = new Map<string, Row | undefined>();
  const left = [...names];
  const worker = async () => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const machine = await one(name);
      changed.set(name, machine && rowOf(machine));
      if (machine !== undefined && shown.includes(name)) queries.setQueryData(["machine", name], machine);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  queries.setQueryData<Fleet>(["fleet", "rows"], (old) => old && { rows: patched(old.rows, changed) });
}

async function one(name: string): Promise<Machine | undefined> {
  try {
    return await data(client.GET("/api/v1/machines/{name}", { params: { path: { name } } }));
  } catch (error) {
    // Deleted since, or out of the scope by now.
    if (error instanceof Refused && (error.problem.status === 404 || error.problem.status === 403)) return undefined;
    throw error;
  }
}

/** The rows with these in place of what they were; they stay in the order of their names. */
export function patched(rows: readonly Row[], changed: ReadonlyMap<string, Row | undefined>): Row[] {
  const fresh = new Map(changed);
  const kept = rows.flatMap((row) => {
    if (!fresh.has(row.name)) return [row];
    const now = fresh.get(row.name);
    fresh.delete(row.name);
    return now === undefined ? [] : [now];
  });
  const added = [...fresh.values()].filter((row) => row !== undefined);
  return added.length === 0
    ? kept
    : [...kept, ...added].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
