/** What whoever looks may do: `GET /api/v1/me/rights`. */
import { queryOptions, useQuery } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { forbids, type Rights } from "../logic/rights";
import type { Lookup } from "../logic/selector";
import { rights as words } from "../words/operations";
import { shell } from "../words/shell";
import { client, data } from "./client";
import { session } from "./session";

export type Verb = "get" | "write" | "delete" | "deliver" | "accept" | "provision" | "hold" | "release" | "retire";

export const rightsQuery = (who: string | undefined) =>
  queryOptions({
    queryKey: ["rights", who],
    queryFn: async (): Promise<Rights> => (await data(client.GET("/api/v1/me/rights"))) as Rights,
  });

/** Which built-in role is the least that allows a verb. */
const LEAST: Partial<Record<Verb, string>> = { write: "editor", delete: "editor" };
const ADMINS = ["Webhook", "Role", "Token", "User"];
const BUILT_IN = ["viewer", "operator", "editor", "admin"];

/** Says why a verb is not allowed on something with these labels and fields, or on any; nothing if it is, or is not known yet. */
export function useForbidden(): (verb: Verb, kind: string, lookup?: Lookup) => string | undefined {
  const me = useSyncExternalStore(session.subscribe, session.me);
  const { data: rights } = useQuery(rightsQuery(me?.name));
  return (verb, kind, lookup) => {
    if (rights === undefined) return undefined;
    const by = forbids(rights, verb, kind, lookup);
    if (by === undefined) return undefined;
    if (by === "scope") return words.scope(verb);
    return BUILT_IN.includes(rights.role)
      ? shell.takesRole(
          LEAST[verb] === undefined ? "operator" : ADMINS.includes(kind) ? "admin" : LEAST[verb],
          rights.role,
        )
      : words.not(rights.role, verb);
  };
}
