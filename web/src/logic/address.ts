/** IPv4 addresses as numbers, to draw them. */

export function toNumber(address: string): number | undefined {
  const parts = address.split(".").map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

export interface Span {
  from: number;
  to: number;
}

/** The addresses of `10.0.0.0/24`. */
export function network(cidr: string): Span | undefined {
  const [address = "", bits = ""] = cidr.split("/");
  const base = toNumber(address);
  const length = Number(bits);
  if (base === undefined || bits === "" || !Number.isInteger(length) || length < 0 || length > 32) return undefined;
  const size = 2 ** (32 - length);
  const from = Math.floor(base / size) * size;
  return { from, to: from + size - 1 };
}

/** `10.0.0.5-10.0.0.9`, or one address. */
export function range(text: string): Span | undefined {
  const [first = "", last = first] = text.split("-").map((part) => part.trim());
  const from = toNumber(first);
  const to = toNumber(last);
  return from === undefined || to === undefined || to < from ? undefined : { from, to };
}

export const contains = (span: Span, address: number): boolean => address >= span.from && address <= span.to;
