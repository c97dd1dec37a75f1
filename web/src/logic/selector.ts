/** Selectors as the API has them (`role=worker,rack!=r1,gpu,!spare`), for what is in the browser already. All terms must hold. */

export interface Term {
  key: string;
  takes: (value: string | undefined) => boolean;
}

/** What a selector is held against. */
export type Lookup = (key: string) => string | undefined;

const PART = /^[A-Za-z0-9._/-]+$/;

/** The terms of a selector, or what is wrong with it. */
export function parseSelector(text: string): Term[] | string {
  const terms: Term[] = [];
  for (const written of text.split(",").map((term) => term.trim())) {
    if (written === "") continue;
    const match = /^(!?)([^=!]+?)\s*(?:(!=|==?)\s*(.*))?$/.exec(written);
    const [, not, key, operator, value] = match ?? [];
    const wellFormed =
      key !== undefined &&
      PART.test(key) &&
      (operator === undefined || (value !== undefined && PART.test(value))) &&
      !(not && operator);
    if (!wellFormed)
      return `\`${written.slice(0, 80)}\` is no selector term: key=value, key!=value, key or !key is expected`;
    if (operator === undefined) terms.push({ key, takes: (there) => (there !== undefined) === (not === "") });
    else terms.push({ key, takes: operator === "!=" ? (there) => there !== value : (there) => there === value });
  }
  return terms;
}

export const holds = (terms: readonly Term[], lookup: Lookup): boolean =>
  terms.every((term) => term.takes(lookup(term.key)));

/** How the last term of a selector may go on: keys first, then the values of its key. */
export function completions(text: string, known: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const at = text.lastIndexOf(",") + 1;
  const before = text.slice(0, at);
  const last = text.slice(at).trimStart();
  const match = /^(!?)([A-Za-z0-9._/-]*)(?:(!=|=)(.*))?$/.exec(last);
  if (match === null) return [];
  const [, not = "", key = "", operator, value = ""] = match;
  const options =
    operator === undefined
      ? [...known.keys()]
          .filter((name) => name.startsWith(key))
          .flatMap((name) => (not ? [`!${name}`] : [`${name}=`, `${name}!=`]))
      : [...(known.get(key) ?? [])].filter((one) => one.startsWith(value)).map((one) => `${key}${operator}${one}`);
  return options
    .sort()
    .slice(0, 12)
    .map((option) => before + option);
}
