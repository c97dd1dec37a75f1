/** Which keys may begin a line of a document: as the API's own document has them. */

export interface Schema {
  properties?: Record<string, unknown>;
}

const TOP = ["kind", "name", "labels", "spec"];

/** The keys that may begin a line, from the text before it and what the line has before the cursor. */
export function keysAt(before: string, indent: string, schemas: Record<string, Schema>): string[] {
  const document = before.split(/^---\s*$/m).pop() ?? "";
  if (indent === "") return TOP.filter((key) => !new RegExp(`^${key}:`, "m").test(document));
  const kind = /^kind:\s*([A-Za-z]+)/m.exec(document)?.[1];
  const parent = [...document.matchAll(/^([A-Za-z]+):/gm)].pop()?.[1];
  if (kind === undefined || parent !== "spec" || indent.length !== 2) return [];
  const spec = schemas[`${kind}SpecInput`] ?? schemas[`${kind}Spec`];
  const there = new Set([...document.matchAll(/^ {2}([A-Za-z0-9]+):/gm)].map((match) => match[1]));
  return Object.keys(spec?.properties ?? {}).filter((key) => !there.has(key));
}
