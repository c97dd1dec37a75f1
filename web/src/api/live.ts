/**
 * One stream of events for the whole page: it says what changed, and what is shown of that is asked for again. It goes on where it
 * broke off; if that place is not there any more, everything is read anew.
 */
import type { QueryClient } from "@tanstack/react-query";
import { Messages } from "../logic/sse";
import type { Event } from "./client";
import { refresh } from "./fleet";
import { authorized } from "./session";
import { lookAtApi } from "./version";

export type LiveState = "connecting" | "live" | "lost";

/** Changes are taken in this often: a burst of events is one change of the page. */
const GATHER = 500;
/** A stream that says nothing for so long is dead: the daemon sends a comment now and then. */
const SILENCE = 60_000;
const KEPT = 1000;

let state: LiveState = "connecting";
let outdated = false;
const listeners = new Set<() => void>();

export const live = {
  subscribe: (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  state: (): LiveState => state,
  /** Whether the daemon serves another page by now than this one. */
  outdated: (): boolean => outdated,
};

const tell = (next: LiveState) => {
  if (next === state) return;
  state = next;
  listeners.forEach((listener) => listener());
};

/** Keeps the stream up until it is stopped. */
export function follow(queries: QueryClient): () => void {
  const stop = new AbortController();
  const stopped = () => stop.signal.aborted;
  const events: Event[] = [];
  let last: number | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let busy = false;

  const flush = () => {
    timer = undefined;
    if (busy) {
      timer = setTimeout(flush, GATHER);
      return;
    }
    busy = true;
    void takeIn(queries, events.splice(0)).finally(() => (busy = false));
  };

  const once = async () => {
    const quiet = new AbortController();
    let watchdog = setTimeout(() => quiet.abort(), SILENCE);
    const signal = AbortSignal.any([stop.signal, quiet.signal]);
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (last !== undefined) headers["last-event-id"] = String(last);
    const answer = await authorized(new Request(new URL("/api/v1/events", location.origin), { headers, signal }));
    if (!answer.ok || answer.body === null) throw new Error(`the stream of events answered ${answer.status}`);
    tell("live");
    const messages = new Messages();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(watchdog);
        watchdog = setTimeout(() => quiet.abort(), SILENCE);
        for (const message of messages.take(value)) {
          const event = JSON.parse(message.data) as Event;
          // Numbers go up only; a smaller one is another database.
          if (last !== undefined && event.seq < last) void queries.invalidateQueries();
          last = event.seq;
          events.push(event);
        }
        if (events.length > 0) timer ??= setTimeout(flush, GATHER);
      }
    } finally {
      clearTimeout(watchdog);
    }
  };

  const run = async () => {
    last = await newest();
    void lookAtApi();
    // What was read before the place was known may lack what happened in between.
    void queries.invalidateQueries({ predicate: (query) => query.state.dataUpdatedAt > 0 });
    for (let tries = 0; !stopped(); tries += 1) {
      const began = Date.now();
      await once().catch(() => undefined);
      if (stopped()) return;
      tell("lost");
      if (Date.now() - began > 10_000) tries = 0;
      // Browsers of a whole team come back after a restart: not all in the same moment.
      await new Promise((resolve) =>
        setTimeout(resolve, Math.min(15_000, 500 * 2 ** tries) * (0.75 + Math.random() / 2)),
      );
      await lookForUpdate();
      void lookAtApi();
    }
  };
  void run();
  return () => {
    stop.abort();
    clearTimeout(timer);
  };
}

async function newest(): Promise<number | undefined> {
  try {
    const answer = await authorized(new Request(new URL("/api/v1/events?limit=1", location.origin)));
    const list = (await answer.json()) as { items?: Event[] };
    return list.items?.[0]?.seq ?? 0;
  } catch {
    return undefined;
  }
}

/** The lists that a kind of object is in. */
const LISTS: Record<string, string> = {
  profile: "profiles",
  group: "groups",
  image: "images",
  subnet: "subnets",
  token: "tokens",
  webhook: "webhooks",
  user: "users",
  role: "roles",
};

async function takeIn(queries: QueryClient, events: Event[]): Promise<void> {
  queries.setQueriesData<Event[]>(
    { queryKey: ["events", "newest"] },
    (old) => old && [...events].reverse().concat(old).slice(0, KEPT),
  );
  const machines = new Set<string>();
  const boots = new Set<string>();
  const lists = new Set<string>();
  for (const event of events) {
    const [kind = "", name = ""] = event.object.split("/");
    if (kind === "machine") machines.add(name);
    else if (LISTS[kind] !== undefined) lists.add(LISTS[kind]);
    if (event.boot !== null) boots.add(event.boot);
  }
  // Which profile a machine has may be another one now.
  if (lists.size > 0) void queries.invalidateQueries({ queryKey: ["fleet", "rows"] }, { cancelRefetch: false });
  for (const list of lists) void queries.invalidateQueries({ queryKey: ["resources", list] });
  for (const boot of boots) void queries.invalidateQueries({ queryKey: ["boot", boot] });
  for (const name of machines) void queries.invalidateQueries({ queryKey: ["about", name] });
  if (boots.size > 0) void queries.invalidateQueries({ queryKey: ["boots"] });
  if (machines.size > 0) await refresh(queries, machines).catch(() => undefined);
}

/** After an update the daemon serves another script: then this page says so. */
async function lookForUpdate(): Promise<void> {
  const own = document.querySelector<HTMLScriptElement>("script[type=module][src]")?.getAttribute("src");
  const page = await fetch("/").then(
    (answer) => answer.text(),
    () => undefined,
  );
  if (own === undefined || own === null || page === undefined || !page.includes('id="app"') || page.includes(own))
    return;
  outdated = true;
  listeners.forEach((listener) => listener());
}
