import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { explainQuery } from "../../api/queries";
import { Snippet } from "../../parts/Page";
import { Loaded } from "../../parts/Trouble";
import { common } from "../../words/common";
import { machine as words } from "../../words/machines";

/** What the machine would get if it asked now, and why. */
export function Gets({ name }: { name: string }) {
  const query = useQuery(explainQuery(name));
  const w = words.gets;
  return (
    <Loaded query={query} what={common.reading(w.reading)}>
      {(explained) => (
        <div className="panels">
          <section className="panel">
            <h2>{explained.answer}</h2>
            <ol className="list">
              {explained.because.map((reason, index) => (
                <li key={index}>{reason}</li>
              ))}
            </ol>
          </section>
          <section className="panel">
            <h2>{w.script}</h2>
            {explained.script == null ? (
              <Text size="sm">{w.noScript}</Text>
            ) : (
              <Snippet label={w.script} text={explained.script} />
            )}
          </section>
          <section className="panel">
            <h2>{w.ignition}</h2>
            {explained.ignition == null ? (
              <Text size="sm">{w.noIgnition}</Text>
            ) : (
              <Snippet label={w.ignition} text={JSON.stringify(explained.ignition, null, 2)} />
            )}
          </section>
          {explained.secrets !== undefined && explained.secrets.length > 0 && (
            <section className="panel">
              <h2>{w.secrets}</h2>
              <ul className="list">
                {explained.secrets.map((secret) => (
                  <li key={`${secret.name} ${secret.place}`}>
                    <b>{secret.name}</b> {secret.from}: <code>{secret.place}</code> {secret.refused}
                  </li>
                ))}
              </ul>
            </section>
          )}
          <section className="panel">
            <h2>{w.decision}</h2>
            <Snippet label={w.decision} text={JSON.stringify(explained.decision, null, 2)} />
          </section>
        </div>
      )}
    </Loaded>
  );
}
