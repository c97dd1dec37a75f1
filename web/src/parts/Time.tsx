import { useSyncExternalStore } from "react";
import { local, span, utc } from "../logic/time";
import { common } from "../words/common";

/** One clock for all ages on the page. */
let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    listeners.forEach((each) => each());
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

export const useNow = (): number => useSyncExternalStore(subscribe, () => now);

/** A moment in the reader's zone; in UTC where one points at it. */
export function Moment({ at }: { at: string }) {
  return (
    <time dateTime={at} title={utc(at)} className="nowrap">
      {local(at, new Date(now))}
    </time>
  );
}

/** How long ago that was. It counts on by itself. */
export function Ago({ at, bare = false }: { at: string | null | undefined; bare?: boolean }) {
  const current = useNow();
  if (!at) return <>{common.never}</>;
  const age = span(Math.floor(Math.max(0, current - Date.parse(at)) / 1000) * 1000).replace(/\.0 s$/, " s");
  return (
    <time dateTime={at} title={`${local(at, new Date(current))} · ${utc(at)}`} className="nowrap">
      {bare ? age : common.ago(age)}
    </time>
  );
}
