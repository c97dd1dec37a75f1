/** Whether rules allow something, as server/src/domain/rights.rs decides it. The daemon decides; this says why a button is off. */
import { holds, parseSelector, type Lookup } from "./selector";

export interface Rule {
  verbs: readonly string[];
  kinds: readonly string[];
  selector?: string;
}

export interface Rights {
  role: string;
  rules: readonly Rule[];
  scope?: { verbs?: readonly string[]; kinds?: readonly string[]; selector?: string };
}

const takes = (selector: string | undefined, lookup: Lookup | undefined): boolean => {
  if (selector === undefined || selector === "" || lookup === undefined) return true;
  const terms = parseSelector(selector);
  return typeof terms !== "string" && holds(terms, lookup);
};

/** `role` or `scope`, whichever does not allow it; nothing if both do. Without a lookup: whether it is allowed on some at all. */
export function forbids(rights: Rights, verb: string, kind: string, lookup?: Lookup): "role" | "scope" | undefined {
  const allowed = rights.rules.some(
    (rule) =>
      (rule.verbs.includes(verb) || rule.verbs.includes("*")) &&
      (rule.kinds.includes(kind) || rule.kinds.includes("*")) &&
      takes(rule.selector, lookup),
  );
  if (!allowed) return "role";
  const { verbs = [], kinds = [], selector } = rights.scope ?? {};
  const within =
    (verbs.length === 0 || verbs.includes(verb)) &&
    (kinds.length === 0 || kinds.includes(kind)) &&
    takes(selector, lookup);
  return within ? undefined : "scope";
}
