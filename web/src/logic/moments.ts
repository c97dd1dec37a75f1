/** What happened to a machine and what it said, as one line of time. */
import type { components } from "../api/schema";
import type { Event } from "../api/client";

type ConsoleLine = components["schemas"]["ConsoleLine"];

export type Source = "machine" | "pilotlight" | "people" | "console";

export interface Moment {
  /** What an address names it by. */
  id: string;
  at: string;
  source: Source;
  kind: string;
  text: string;
  by: string | undefined;
  severe: boolean;
}

/** Lines of this severity and below are trouble: error, critical, alert, emergency. */
const SEVERE = 3;
const BAD = new Set(["boot.failed", "machine.failed", "machine.conflict", "agent.trouble"]);

const sourceOf = (actor: string): Source =>
  actor === "machine" ? "machine" : actor === "pilotlight" ? "pilotlight" : "people";

/** Newest first. */
export function merged(events: readonly Event[], lines: readonly ConsoleLine[]): Moment[] {
  const happened = events.map((event): Moment => ({
    id: String(event.seq),
    at: event.at,
    source: sourceOf(event.actor),
    kind: event.kind,
    text: event.message,
    by: event.actor,
    severe: BAD.has(event.kind),
  }));
  const said = lines.map((line): Moment => ({
    id: `line-${line.line}`,
    at: line.at,
    source: "console",
    kind: line.tag ?? "console",
    text: line.text,
    by: undefined,
    severe: line.severity != null && line.severity <= SEVERE,
  }));
  // Events come newest first, lines oldest first: of one moment both keep their order.
  const all = [...happened.reverse(), ...said].map((moment, index) => ({ moment, index, at: Date.parse(moment.at) }));
  return all.sort((a, b) => b.at - a.at || b.index - a.index).map(({ moment }) => moment);
}
