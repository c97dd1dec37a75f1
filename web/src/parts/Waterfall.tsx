import { Fragment } from "react";
import type { Boot, PhaseRecord } from "../api/client";
import type { components } from "../api/schema";
import { bytes, span } from "../logic/time";
import { common } from "../words/common";
import { machine as words } from "../words/machines";
import { boot as more } from "../words/operations";
import { useNow } from "./Time";

export type BootMedians = components["schemas"]["BootMedians"];
type PhaseMedian = components["schemas"]["PhaseMedian"];

/** What takes so many times as long as usual is said to be slow, if it is more than some seconds. */
const SLOW = 2;
const LEAST = 3000;

interface Line {
  phase: string;
  record: PhaseRecord | undefined;
  usual: PhaseMedian | undefined;
}

/** A boot as a waterfall: each phase from its first request to when it had what it needs, over what is usual where that is known. */
export function Waterfall({ boot, usual }: { boot: Boot; usual?: BootMedians | undefined }) {
  const now = useNow();
  const from = Date.parse(boot.started);
  const open = boot.outcome === null;
  const usually = usual?.phases ?? [];
  const to = Math.max(
    open ? now : Date.parse(boot.ended ?? boot.started),
    ...boot.phases.map((phase) => Date.parse(phase.last)),
    ...usually.map((phase) => from + phase.after_ms + phase.took_ms),
    from + 1,
  );
  const part = (ms: number) => (ms / (to - from)) * 100;
  const cut = boot.outcome?.result === "failed";
  const last = boot.phases.at(-1);
  const lines: Line[] = boot.phases.map((record) => ({
    phase: record.phase,
    record,
    usual: usually.find((median) => median.phase === record.phase),
  }));
  for (const median of usually)
    if (!lines.some((line) => line.phase === median.phase))
      lines.push({ phase: median.phase, record: undefined, usual: median });
  return (
    <div className="fall" role="list" aria-label={words.boots.waterfall}>
      {lines.map(({ phase, record, usual: median }) => {
        const name = common.phases[phase] ?? phase;
        const ended =
          record === undefined
            ? 0
            : record.ended !== null
              ? Date.parse(record.ended)
              : record === last && open
                ? now
                : Date.parse(record.last);
        const started = record === undefined ? 0 : Date.parse(record.started);
        const took = Math.max(0, ended - started);
        const kind =
          record?.ended !== null ? "" : record === last && cut ? " cut" : record === last && open ? " open" : "";
        const text = record === undefined ? common.none : `${span(took)} · ${loaded(record)}`;
        const compared = median === undefined ? "" : more.usually(span(median.took_ms));
        const slow = median !== undefined && took > LEAST && took > SLOW * Math.max(1, median.took_ms);
        return (
          <Fragment key={phase}>
            <span
              role="listitem"
              className={record === undefined ? "dim" : undefined}
              aria-label={[`${name}: ${text}`, compared].filter(Boolean).join(", ")}
            >
              {name}
            </span>
            <span className="falltrack" aria-hidden="true">
              {record !== undefined && (
                <span
                  className={`fallbar${kind}${median === undefined ? "" : " over"}`}
                  style={{
                    left: `${Math.min(99, part(started - from))}%`,
                    width: `${Math.max(0.4, Math.min(part(took), 100 - part(started - from)))}%`,
                  }}
                />
              )}
              {median !== undefined && (
                <span
                  className="fallusual"
                  style={{
                    left: `${Math.min(99, part(median.after_ms))}%`,
                    width: `${Math.max(0.4, part(median.took_ms))}%`,
                  }}
                />
              )}
            </span>
            <span className="dim nowrap" aria-hidden="true" title={record?.detail ?? undefined}>
              {text}
              {median !== undefined && (
                <span
                  className={slow ? "late" : undefined}
                  title={slow ? more.slower((took / median.took_ms).toFixed(1)) : undefined}
                >
                  {" "}
                  · {compared}
                </span>
              )}
            </span>
          </Fragment>
        );
      })}
    </div>
  );
}

function loaded(phase: PhaseRecord): string {
  return phase.bytes > 0 ? bytes(phase.bytes) : words.boots.requests(phase.requests);
}
