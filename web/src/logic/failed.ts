/** Boots that failed, by why. */
import type { Boot } from "../api/client";

export interface Cause {
  why: string;
  boots: Boot[];
}

/** The same failure of many machines is one cause, most first; of each machine only its newest boot that failed so. */
export function grouped(boots: readonly Boot[]): Cause[] {
  const causes = new Map<string, Map<string, Boot>>();
  for (const boot of boots) {
    if (boot.outcome?.result !== "failed") continue;
    const why = cause(boot.outcome.why);
    const of = causes.get(why) ?? new Map<string, Boot>();
    if (!of.has(boot.machine)) of.set(boot.machine, boot);
    causes.set(why, of);
  }
  return [...causes]
    .map(([why, of]) => ({ why, boots: [...of.values()] }))
    .sort((a, b) => b.boots.length - a.boots.length);
}

/** Without what differs from machine to machine: for how long it was silent, and what it said last. */
export const cause = (why: string): string =>
  why.replace(/^nothing was seen for \d+ s after /, "silent after ").replace(/; it said last: .*$/s, "");
