import { Code } from "@mantine/core";
import type { Diagnosis } from "../api/client";
import { machine as words } from "../words/machines";

/** Why a boot did not get on: its code, what to look at, and what that was told by, with where the API has more of it. */
export function Diagnosed({ diagnosis }: { diagnosis: Diagnosis }) {
  return (
    <div className="wrap small" role="group" aria-label={words.boots.diagnosis}>
      <div>
        <Code>{diagnosis.code}</Code> {diagnosis.text}
      </div>
      <div>
        <b>{words.boots.lookAt}</b> {diagnosis.look}
      </div>
      <ul>
        {diagnosis.evidence?.map((one) => (
          <li key={one.seen}>
            {one.link != null ? (
              <a href={one.link} target="_blank" rel="noreferrer">
                {one.seen}
              </a>
            ) : (
              one.seen
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}
