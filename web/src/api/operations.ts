/** What takes long is asked for as an operation, so that it can be said how far it has come. */
import { getOf, type Operation, problemOf, Refused, sendTo } from "./client";

const PAUSE = 500;

/**
 * Sends something, and returns what came of it. `seen` is told how far it has come where that takes longer than a moment. Where the
 * daemon answers at once, that is the answer.
 */
export async function carriedOut(path: string, body: unknown, seen: (operation: Operation) => void): Promise<unknown> {
  const begun = await sendTo<Partial<Operation>>("POST", path, body, { prefer: "respond-async" });
  if (begun.id === undefined || begun.state === undefined) return begun;
  const { id } = begun;
  for (;;) {
    const now = await getOf<Operation>(`operations/${id}`);
    if (now.state === "succeeded") return now.result;
    if (now.state === "failed") {
      throw new Refused(now.problem ?? problemOf(undefined, new Response(null, { status: 500 })));
    }
    if ((now.transfers ?? []).length > 0) seen(now);
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
