/** What may stand where in a document: as the API's own document says. */
import { useQuery } from "@tanstack/react-query";
import { useCallback } from "react";
import { getOf } from "../../api/client";

interface Schema {
  properties?: Record<string, unknown>;
}

interface OpenApi {
  components?: { schemas?: Record<string, Schema> };
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

export function useCompletion(): (before: string, indent: string) => string[] {
  const { data } = useQuery({
    queryKey: ["openapi"],
    staleTime: Infinity,
    queryFn: () => getOf<OpenApi>("openapi.json"),
  });
  return useCallback(
    (before: string, indent: string) => keysAt(before, indent, data?.components?.schemas ?? {}),
    [data],
  );
}
