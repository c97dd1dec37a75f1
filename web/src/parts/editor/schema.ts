/** What may stand where in a document: as the API's own document says. */
import { useQuery } from "@tanstack/react-query";
import { useCallback } from "react";
import { getOf } from "../../api/client";
import { keysAt, type Schema } from "../../logic/keys";

interface OpenApi {
  components?: { schemas?: Record<string, Schema> };
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
