/** Views that somebody gave a name: the part of the address behind `?`. They are kept in this browser. */

export interface View {
  name: string;
  search: Record<string, string>;
}

const KEY = "pilotlight.views.machines";
const MOST = 50;
const PARTS = ["find", "selector", "sort", "columns"];

/** What was stored, whoever wrote it: what is no view is left out. */
export function readViews(text: string | null): View[] {
  let stored: unknown;
  try {
    stored = JSON.parse(text ?? "[]");
  } catch {
    return [];
  }
  if (!Array.isArray(stored)) return [];
  return stored.slice(0, MOST).flatMap((one: unknown) => {
    if (typeof one !== "object" || one === null || !("name" in one) || typeof one.name !== "string") return [];
    const search = "search" in one && typeof one.search === "object" && one.search !== null ? one.search : {};
    return [{ name: one.name, search: parts(search) }];
  });
}

/** Of what stands in the address, what makes a view. */
export const parts = (search: object): Record<string, string> =>
  Object.fromEntries(
    Object.entries(search).filter(
      (entry): entry is [string, string] => PARTS.includes(entry[0]) && typeof entry[1] === "string" && entry[1] !== "",
    ),
  );

/** The same with one more; one of that name is replaced. */
export const withView = (views: readonly View[], view: View): View[] =>
  [...views.filter((other) => other.name !== view.name), view]
    .sort((a, b) => a.name.localeCompare(b.name))
    .slice(0, MOST);

let cached: { text: string | null; views: View[] } = { text: null, views: [] };
const listeners = new Set<() => void>();

export const views = {
  subscribe: (listener: () => void): (() => void) => {
    listeners.add(listener);
    // Another tab may have changed them.
    window.addEventListener("storage", listener);
    return () => {
      listeners.delete(listener);
      window.removeEventListener("storage", listener);
    };
  },
  all: (): View[] => {
    const text = localStorage.getItem(KEY);
    if (text !== cached.text) cached = { text, views: readViews(text) };
    return cached.views;
  },
  put: (all: readonly View[]): void => {
    localStorage.setItem(KEY, JSON.stringify(all));
    listeners.forEach((listener) => listener());
  },
};
