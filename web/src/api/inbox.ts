/** What waits for somebody to look at it. */
import { queryOptions } from "@tanstack/react-query";
import { getOf, type Inbox, type InboxState, sendTo } from "./client";

const LARGEST = 5000;
/** A machine may come to be missed, or not as its class, without an event that says so. */
const LOOK = 5000;

export const inboxQuery = (state: InboxState | undefined) =>
  queryOptions({
    queryKey: ["inbox", state ?? ""],
    refetchInterval: LOOK,
    queryFn: ({ signal }) =>
      getOf<Inbox>(`inbox?limit=${LARGEST}${state === undefined ? "" : `&state=${state}`}`, signal),
  });

/** Takes a machine in, under a name and with further labels. */
export const accept = (machine: string, as: string, labels: Record<string, string>) =>
  sendTo("POST", `machines/${encodeURIComponent(machine)}/accept`, { as, labels });
