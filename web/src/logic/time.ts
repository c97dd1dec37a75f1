/** Times and sizes for people. */

/** How long that is, in one or two words: `42 s`, `5 min`, `3 h`, `12 d`. */
export function span(milliseconds: number): string {
  const s = Math.max(0, milliseconds) / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.round(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

const pad = (n: number) => String(n).padStart(2, "0");

/** In the reader's own zone: the time alone if it is of today. */
export function local(iso: string, now: Date): string {
  const at = new Date(iso);
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
  if (at.toDateString() === now.toDateString()) return time;
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${time}`;
}

/** The same in UTC, as logs have it. */
export const utc = (iso: string): string => `${new Date(iso).toISOString().replace("T", " ").replace("Z", "")} UTC`;

export function bytes(n: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = n;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ""}`;
}
