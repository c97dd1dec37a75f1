import { Fragment } from "react";
import type { Boot, PhaseRecord } from "../api/client";
import { bytes, span } from "../logic/time";
import { common } from "../words/common";
import { machine as words } from "../words/machines";
import { useNow } from "./Time";

/** A boot as a waterfall: each phase from its first request to when it had what it needs. */
export function Waterfall({ boot }: { boot: Boot }) {
  const now = useNow();
  const from = Date.parse(boot.started);
  const open = boot.outcome === null;
  const to = Math.max(
    open ? now : Date.parse(boot.ended ?? boot.started),
    ...boot.phases.map((phase) => Date.parse(phase.last)),
    from + 1,
  );
  const cut = boot.outcome?.result === "failed";
  const last = boot.phases.at(-1);
  return (
    <div className="fall" role="list" aria-label={words.boots.waterfall}>
      {boot.phases.map((phase) => {
        const started = Date.parse(phase.started);
        const ended =
          phase.ended !== null ? Date.parse(phase.ended) : phase === last && open ? now : Date.parse(phase.last);
        const left = ((started - from) / (to - from)) * 100;
        const width = ((Math.max(ended, started) - started) / (to - from)) * 100;
        const kind = phase.ended !== null ? "" : phase === last && cut ? " cut" : phase === last && open ? " open" : "";
        return (
          <Fragment key={phase.phase}>
            <span
              role="listitem"
              aria-label={`${common.phases[phase.phase] ?? phase.phase}: ${span(ended - started)}, ${loaded(phase)}`}
            >
              {common.phases[phase.phase] ?? phase.phase}
            </span>
            <span className="falltrack" aria-hidden="true">
              <span
                className={`fallbar${kind}`}
                style={{ left: `${Math.min(99, left)}%`, width: `${Math.max(0.4, Math.min(width, 100 - left))}%` }}
              />
            </span>
            <span className="dim nowrap" aria-hidden="true" title={phase.detail ?? undefined}>
              {span(ended - started)} · {loaded(phase)}
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
