/** A subnet's ranges as blocks that can be drawn: what share of each is in which state. */
import { contains, range, type Span, toNumber } from "./address";

export type AddressState = "free" | "leased" | "offered" | "reserved" | "abandoned" | "excluded";

/** In the order in which they are drawn, from the bottom up. */
export const STATES: readonly AddressState[] = ["leased", "offered", "reserved", "abandoned", "excluded", "free"];

export interface Block {
  from: string;
  to: string;
  size: number;
  counts: Record<AddressState, number>;
}

export interface Held {
  address: string;
  state: string;
}

export const toAddress = (n: number): string =>
  [n / 2 ** 24, n / 2 ** 16, n / 2 ** 8, n].map((part) => Math.floor(part) % 256).join(".");

const empty = (): Record<AddressState, number> => ({
  free: 0,
  leased: 0,
  offered: 0,
  reserved: 0,
  abandoned: 0,
  excluded: 0,
});

/** At most `most` blocks of about the same size, none of which is in two ranges. */
export function blocks(
  ranges: readonly string[],
  exclude: readonly string[],
  held: readonly Held[],
  reserved: readonly string[],
  most: number,
): Block[] {
  const spans = ranges.map(range).filter((span) => span !== undefined);
  const out = exclude.map(range).filter((span) => span !== undefined);
  const total = spans.reduce((sum, span) => sum + size(span), 0);
  if (total === 0) return [];
  const each = Math.max(1, Math.ceil(total / most));
  const made: { span: Span; counts: Record<AddressState, number> }[] = [];
  for (const span of spans) {
    for (let from = span.from; from <= span.to; from += each) {
      made.push({ span: { from, to: Math.min(span.to, from + each - 1) }, counts: empty() });
    }
  }
  const taken = new Map<number, AddressState>();
  const take = (address: string, state: AddressState) => {
    const n = toNumber(address);
    if (n !== undefined && !out.some((span) => contains(span, n))) taken.set(n, state);
  };
  for (const address of reserved) take(address, "reserved");
  for (const { address, state } of held) {
    if (state === "leased" || state === "offered" || state === "abandoned") take(address, state);
  }
  for (const [n, state] of taken) {
    const block = made.find(({ span }) => contains(span, n));
    if (block !== undefined) block.counts[state] += 1;
  }
  return made.map(({ span, counts }) => {
    counts.excluded = out.reduce((sum, other) => sum + overlap(span, other), 0);
    const used = counts.leased + counts.offered + counts.reserved + counts.abandoned + counts.excluded;
    counts.free = Math.max(0, size(span) - used);
    return { from: toAddress(span.from), to: toAddress(span.to), size: size(span), counts };
  });
}

const size = (span: Span): number => span.to - span.from + 1;

const overlap = (a: Span, b: Span): number => Math.max(0, Math.min(a.to, b.to) - Math.max(a.from, b.from) + 1);
