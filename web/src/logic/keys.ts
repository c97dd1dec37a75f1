/** Which keys may begin a line of a document: as the API's own document has them, and in a Butane text as Butane has them. */
import { BUTANE, type Keys } from "./butane";

export interface Schema {
  $ref?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  additionalProperties?: Schema | boolean;
}

const TOP = ["kind", "name", "labels", "spec"];
const BLOCK = /^\s*(?:- +)?butane:\s*[|>]/;

/** The keys that may begin a line, from the text before it and what the line has before the cursor. */
export function keysAt(before: string, indent: string, schemas: Record<string, Schema>): string[] {
  const document = before.split(/^---\s*$/m).pop() ?? "";
  const lines = document.split("\n");
  const path = parents(lines, indent);
  const block = lines.findLastIndex((line) => BLOCK.test(line) && depth(line) < indent.length);
  const inside =
    block >= 0 && lines.slice(block + 1).every((line) => line.trim() === "" || depth(line) > depth(lines[block] ?? ""));
  const there = siblings(lines, indent);
  if (inside) {
    const own = path.slice(path.lastIndexOf("butane") + 1);
    return Object.keys(butaneAt(own) ?? {}).filter((key) => !there.has(key));
  }
  if (indent === "") return TOP.filter((key) => !there.has(key));
  const kind = /^kind:\s*([A-Za-z]+)/m.exec(document)?.[1];
  if (kind === undefined || path[0] !== "spec") return [];
  let schema: Schema | undefined = schemas[`${kind}SpecInput`] ?? schemas[`${kind}Spec`];
  for (const key of path.slice(1)) schema = step(schema, key, schemas);
  return Object.keys(plain(schema, schemas)?.properties ?? {}).filter((key) => !there.has(key));
}

const depth = (line: string): number => /^ */.exec(line)?.[0].length ?? 0;

/** The keys that a line with this indent is below, outermost first. A dash of a list counts as blanks. */
function parents(lines: readonly string[], indent: string): string[] {
  const path: string[] = [];
  let below = indent.replace("-", " ").length;
  for (const line of [...lines].reverse()) {
    if (line.trim() === "" || line.trim().startsWith("#")) continue;
    const match = /^( *(?:- +)*)([A-Za-z0-9_]+):/.exec(line);
    const at = match?.[1]?.length ?? depth(line);
    // A list may begin as far left as its key.
    if (match?.[2] !== undefined && at < below) {
      path.unshift(match[2]);
      below = at;
    }
  }
  return path;
}

/** The keys that the same map has already: those with the same indent, back to where something begins further left. */
function siblings(lines: readonly string[], indent: string): Set<string> {
  const found = new Set<string>();
  const own = indent.replace("-", " ").length;
  if (indent.includes("-")) return found;
  for (const line of [...lines].reverse()) {
    if (line.trim() === "") continue;
    const match = /^( *(?:- +)*)([A-Za-z0-9_]+):/.exec(line);
    const at = match?.[1]?.length ?? depth(line);
    if (at < own) break;
    if (at === own && match?.[2] !== undefined) {
      found.add(match[2]);
      if (match[1]?.includes("-")) break;
    }
  }
  return found;
}

function butaneAt(path: readonly string[]): Keys | undefined {
  let keys: Keys | undefined = BUTANE;
  for (const key of path) keys = keys?.[key] ?? undefined;
  return keys;
}

/** A schema without what only leads to another one. */
function plain(schema: Schema | undefined, schemas: Record<string, Schema>, left = 8): Schema | undefined {
  if (schema === undefined || left === 0) return schema;
  if (schema.$ref !== undefined) return plain(schemas[schema.$ref.split("/").pop() ?? ""], schemas, left - 1);
  const one = schema.anyOf
    ?.map((each) => plain(each, schemas, left - 1))
    .find((each) => each?.properties !== undefined);
  if (one !== undefined) return one;
  return schema.items === undefined ? schema : plain(schema.items, schemas, left - 1);
}

function step(schema: Schema | undefined, key: string, schemas: Record<string, Schema>): Schema | undefined {
  const here = plain(schema, schemas);
  const next = here?.properties?.[key];
  if (next !== undefined) return next;
  return typeof here?.additionalProperties === "object" ? here.additionalProperties : undefined;
}

/** What a template may say, by what it begins with. */
export const VARIABLES = [
  "machine.name",
  "machine.mac",
  "machine.ip",
  "machine.uuid",
  "machine.serial",
  "machine.rack",
  "machine.unit",
  "machine.labels",
  "machine.facts",
  "vars",
  "subnet.name",
  "subnet.cidr",
  "subnet.gateway",
  "subnet.dns",
  "site.name",
  "cluster.name",
  "secrets",
] as const;
