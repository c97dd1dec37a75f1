/** A machine as tables have it: small, so that 100,000 of them fit, and with its search text made once. */
import type { Boot, Machine } from "../api/client";

export interface Row {
  name: string;
  stage: string;
  why: string | undefined;
  since: string;
  power: string;
  hold: string | undefined;
  labels: Record<string, string>;
  macs: string[];
  serial: string | undefined;
  rack: string | undefined;
  unit: number | undefined;
  reserved: string | undefined;
  address: string | undefined;
  profile: string | undefined;
  desired: number | undefined;
  running: number | undefined;
  drift: boolean;
  seen: string | undefined;
  conflicts: number;
  product: string | undefined;
  /** How its firmware takes to be told, where that is not the first way. */
  reply: string | undefined;
  /** The newest boot: whole while it goes on, for the boards; else only how it ended. */
  boot: Boot | undefined;
  bootResult: string | undefined;
  search: string;
}

export function rowOf(machine: Machine): Row {
  const { spec, facts, boot, profile } = machine;
  const serial = spec.serial ?? facts?.system.serial ?? undefined;
  const address = boot?.address ?? undefined;
  const product = [facts?.system.vendor, facts?.system.product].filter(Boolean).join(" ") || undefined;
  const macs = [...spec.macs, ...(machine.learned_macs ?? [])];
  return {
    name: machine.name,
    stage: machine.stage,
    why: machine.why ?? undefined,
    since: machine.since,
    power: machine.power,
    hold: machine.hold?.reason,
    labels: machine.labels,
    macs,
    serial,
    rack: spec.rack ?? undefined,
    unit: spec.unit ?? undefined,
    reserved: spec.ip ?? undefined,
    address,
    profile: profile?.name,
    desired: profile?.desired,
    running: profile?.running ?? undefined,
    drift: profile?.drift ?? false,
    seen: machine.seen ?? undefined,
    conflicts: machine.conflicts?.length ?? 0,
    product,
    reply: machine.reply ?? undefined,
    boot: boot !== null && boot.outcome === null ? boot : undefined,
    bootResult: boot?.outcome?.result,
    search: [machine.name, ...macs, serial, address, spec.ip, spec.uuid, profile?.name, product]
      .filter(Boolean)
      .join("\n")
      .toLowerCase(),
  };
}

/** What a selector's key means of a machine: its fields before its labels, as the API has it. */
export function field(row: Row, key: string): string | undefined {
  if (key === "stage") return row.stage;
  if (key === "rack") return row.rack;
  if (key === "drift") return String(row.drift);
  if (key === "hold") return String(row.hold !== undefined);
  return row.labels[key];
}

/** The values of each key that a selector may name, for completion. */
export function vocabulary(rows: readonly Row[]): Map<string, Set<string>> {
  const known = new Map<string, Set<string>>([
    ["drift", new Set(["true", "false"])],
    ["hold", new Set(["true", "false"])],
  ]);
  const add = (key: string, value: string) => {
    const values = known.get(key) ?? new Set();
    // A label that is different on each machine helps nobody.
    if (values.size < 200) values.add(value);
    known.set(key, values);
  };
  for (const row of rows) {
    add("stage", row.stage);
    if (row.rack !== undefined) add("rack", row.rack);
    for (const key in row.labels) add(key, row.labels[key] ?? "");
  }
  return known;
}

export type SortKey = "name" | "stage" | "rack" | "profile" | "since" | "seen" | "address" | "serial" | "product";

const order = new Intl.Collator("en", { numeric: true });

function sortable(row: Row, key: SortKey): string {
  if (key === "rack") return row.rack === undefined ? "" : `${row.rack} ${row.unit ?? ""}`;
  return row[key] ?? "";
}

/** Sorted as people count: n2 before n10. What has no value is last either way. */
export function sorted(rows: readonly Row[], key: SortKey, descending: boolean): Row[] {
  const sign = descending ? -1 : 1;
  const compare = (a: string, b: string) =>
    key === "since" || key === "seen" ? (a < b ? -1 : a > b ? 1 : 0) : order.compare(a, b);
  return rows
    .map((row) => ({ row, by: sortable(row, key) }))
    .sort((a, b) =>
      a.by === "" || b.by === "" ? Number(a.by === "") - Number(b.by === "") : sign * compare(a.by, b.by),
    )
    .map(({ row }) => row);
}
