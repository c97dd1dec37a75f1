/** Documents as people write them: YAML, with the place of each thing, so that a mistake has its line. */
import {
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Document as Yaml,
  type Node,
  parseAllDocuments,
  stringify,
} from "yaml";
import type { Document, Mistake } from "../api/client";

export interface Placed {
  from: number;
  to: number;
  line: number;
  detail: string;
}

export interface Read {
  documents: Document[];
  mistakes: Placed[];
  /** Where a mistake that the API found stands in the text. */
  place: (mistake: Mistake) => Placed;
}

/** Reads documents. What is no YAML, or no document, is a mistake with its place. */
export function readDocuments(text: string): Read {
  const counter = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: counter, strict: true, uniqueKeys: true });
  const yaml: Yaml[] = Array.isArray(parsed) ? [...parsed] : [];
  const mistakes: Placed[] = [];
  const documents: Document[] = [];
  const read: Yaml[] = [];
  const placed = (from: number, to: number, detail: string): Placed => ({
    from,
    to: Math.max(to, from + 1),
    line: counter.linePos(from).line,
    detail,
  });
  for (const document of yaml) {
    for (const error of document.errors)
      mistakes.push(placed(error.pos[0], error.pos[1], error.message.split(" at line ")[0] ?? error.message));
    if (document.errors.length > 0 || document.contents === null) continue;
    let value: unknown;
    try {
      // An alias is counted: a text that means far more than it says is refused.
      value = document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      mistakes.push(placed(0, 1, String(error)));
      continue;
    }
    if (value === null) continue;
    const [from, to] = document.contents.range ?? [0, 1];
    if (typeof value !== "object" || Array.isArray(value))
      mistakes.push(placed(from, to, "a document with `kind`, `name` and `spec` is expected"));
    else {
      documents.push(value as Document);
      read.push(document);
    }
  }
  const place = (mistake: Mistake): Placed => {
    const document = read[mistake.document];
    const root = document?.contents;
    const node = isNode(root) ? nearest(root, mistake.path) : undefined;
    const detail = mistake.path === "" ? mistake.detail : `${mistake.path}: ${mistake.detail}`;
    if (node === undefined) return placed(0, 1, detail);
    const [from, to] = node.range ?? [0, 1];
    const [line, column] = (mistake.position ?? []) as number[];
    if (line !== undefined && isScalar(node) && (node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED")) {
      const at = within(text, from, line, column ?? 1);
      if (at !== undefined) return placed(at.from, at.to, detail);
    }
    const end = text.indexOf("\n", from);
    return placed(from, Math.min(to, end < 0 ? text.length : end), detail);
  };
  return { documents, mistakes, place };
}

/** The node at a path such as `spec.ranges[1]`, or the nearest one around it. Keys may have dots in them. */
function nearest(root: Node, path: string): Node {
  let node = root;
  let rest = path;
  while (rest !== "") {
    const index = /^\[(\d+)\]\.?/.exec(rest);
    let next: unknown;
    if (index !== null && isSeq(node)) {
      next = node.items[Number(index[1])];
      rest = rest.slice(index[0].length);
    } else if (isMap(node)) {
      const keys = node.items.map((pair) => String(isScalar(pair.key) ? pair.key.value : pair.key));
      const fits = keys.filter((key) => rest === key || rest.startsWith(`${key}.`) || rest.startsWith(`${key}[`));
      const key = fits.sort((a, b) => b.length - a.length)[0];
      if (key === undefined) return node;
      const pair = node.items[keys.indexOf(key)];
      // What has no value has its key at least.
      next =
        isNode(pair?.value) && (pair.value.range?.[1] ?? 0) > (pair.value.range?.[0] ?? 0) ? pair.value : pair?.key;
      rest = rest.slice(key.length).replace(/^\./, "");
    }
    if (!isNode(next)) return node;
    node = next;
  }
  return node;
}

/** A place in a block of text that begins after the line of `from`. */
function within(text: string, from: number, line: number, column: number): { from: number; to: number } | undefined {
  let start = text.indexOf("\n", from) + 1;
  if (start === 0) return undefined;
  const indent = /^(?:[ \t]*\n)*([ ]*)/.exec(text.slice(start))?.[1]?.length ?? 0;
  for (let i = 1; i < line; i += 1) {
    const end = text.indexOf("\n", start);
    if (end < 0) return undefined;
    start = end + 1;
  }
  const end = text.indexOf("\n", start);
  const to = end < 0 ? text.length : end;
  return { from: Math.min(start + indent + column - 1, to), to };
}

/** A resource as the document that it was declared by. */
export function documentText(resource: {
  kind: string;
  name: string;
  labels?: Record<string, string> | null;
  spec?: unknown;
}): string {
  const { kind, name, labels, spec } = resource;
  const document: Record<string, unknown> = { kind, name };
  if (labels != null && Object.keys(labels).length > 0) document.labels = labels;
  document.spec = pruned(spec);
  return stringify(document, { lineWidth: 0 });
}

/** Without what says nothing: null, and empty lists and maps. */
function pruned(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const kept = Object.entries(value).filter(
    ([, one]) => one !== null && !(typeof one === "object" && Object.keys(one as object).length === 0),
  );
  return Object.fromEntries(kept.map(([key, one]) => [key, pruned(one)]));
}
