/** Whether the daemon's API is the one that this page was made for: the document of the API has its hash as its ETag. */
import { authorized } from "./session";

declare const __API__: string;

let other = false;
const listeners = new Set<() => void>();

export const api = {
  subscribe: (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  /** Whether the daemon has another API by now. */
  isAnother: (): boolean => other,
};

/** Asks the daemon which API it has. One that does not say is not told apart. */
export async function lookAtApi(): Promise<void> {
  const answer = await authorized(
    new Request(new URL("/api/v1/openapi.json", location.origin), { method: "HEAD" }),
  ).catch(() => undefined);
  const tag = answer?.ok === true ? answer.headers.get("etag") : null;
  const found = tag !== null && tag.replaceAll(/^(W\/)?"|"$/g, "") !== __API__;
  if (found === other) return;
  other = found;
  listeners.forEach((listener) => listener());
}
