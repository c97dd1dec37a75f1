/** Where a machine stands that waits for its turn to load. */
import type { Boot } from "../api/client";

/** The place, from 1: the detail of the boot's script phase says how many come before. */
export function place(boot: Boot | undefined): number | undefined {
  const last = boot?.phases.at(-1);
  if (last?.phase !== "script") return undefined;
  const before = /its turn to load comes after (\d+) others/.exec(last.detail ?? "")?.[1];
  return before === undefined ? undefined : Number(before) + 1;
}

/** When something was last seen of it. */
export const lastSign = (boot: Boot): number =>
  Math.max(Date.parse(boot.started), ...boot.phases.map((phase) => Date.parse(phase.last)));

/** `10m` in milliseconds, as the API writes lengths of time. */
export function milliseconds(text: string): number | undefined {
  const [, n, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  const seconds = { s: 1, m: 60, h: 3600, d: 86_400 }[unit ?? ""];
  return n === undefined || seconds === undefined ? undefined : Number(n) * seconds * 1000;
}

/** `10Gbit` in bytes a second, as the API writes the rates of links. */
export function linkBytes(text: string): number | undefined {
  const [, n, unit] = /^(\d+)([KMG])bit$/i.exec(text) ?? [];
  const bits = { K: 1e3, M: 1e6, G: 1e9 }[unit?.toUpperCase() ?? ""];
  return n === undefined || bits === undefined ? undefined : (Number(n) * bits) / 8;
}
