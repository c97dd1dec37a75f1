import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import type { Machine } from "../../api/client";
import { consoleQuery } from "../../api/queries";
import { local, utc } from "../../logic/time";
import { Empty, Loaded } from "../../parts/Trouble";
import { common } from "../../words/common";
import { machine as words } from "../../words/machines";

/** Lines of this severity and below are trouble: error, critical, alert, emergency. */
const SEVERE = 3;
const route = getRouteApi("/machines/$name");

export function Console({ machine }: { machine: Machine }) {
  const chosen = route.useSearch().boot;
  const id = chosen ?? machine.boot?.id;
  return id === undefined ? <Empty title={words.console.none}>{words.console.noneHint}</Empty> : <Lines id={id} />;
}

function Lines({ id }: { id: string }) {
  const query = useQuery(consoleQuery(id));
  return (
    <Loaded query={query} what={common.reading(words.console.reading)}>
      {(lines) =>
        lines.length === 0 ? (
          <Empty title={words.console.none}>{words.console.noneHint}</Empty>
        ) : (
          <div className="console" role="log" aria-label={words.console.lines} tabIndex={0}>
            {lines.map((line) => (
              <div key={line.line} className={line.severity != null && line.severity <= SEVERE ? "severe" : undefined}>
                <span className="when" title={utc(line.at)}>
                  {local(line.at, new Date(line.at))}
                </span>{" "}
                {line.tag != null && <b>{line.tag}: </b>}
                {line.text}
              </div>
            ))}
          </div>
        )
      }
    </Loaded>
  );
}
