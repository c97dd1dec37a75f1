import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { stringify } from "yaml";
import type { Explanation, Machine } from "../../api/client";
import { bootQuery, explainQuery, revisionQuery } from "../../api/queries";
import { diff } from "../../logic/diff";
import { bytes } from "../../logic/time";
import { Diff } from "../../parts/Diff";
import { Snippet } from "../../parts/Page";
import { Loaded } from "../../parts/Trouble";
import { common } from "../../words/common";
import { machine as words } from "../../words/machines";
import { gets as more } from "../../words/operations";

/** What the machine would get if it asked now, and why; and how that differs from what it runs. */
export function Gets({ machine }: { machine: Machine }) {
  const query = useQuery(explainQuery(machine.name));
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
            <h2>{more.changed}</h2>
            <Changed machine={machine} explained={explained} />
            <Drift machine={machine} />
          </section>
          <section className="panel">
            <h2>{w.script}</h2>
            {explained.script == null ? (
              <Text size="sm">{w.noScript}</Text>
            ) : (
              <Snippet label={w.script} text={explained.script} />
            )}
          </section>
          <Kernel explained={explained} />
          <Dhcp explained={explained} />
          <section className="panel">
            <h2>
              {w.ignition}
              {explained.ignition_bytes != null && (
                <span className="dim small"> · {more.size(bytes(explained.ignition_bytes))}</span>
              )}
            </h2>
            {explained.ignition == null ? (
              <Text size="sm">{w.noIgnition}</Text>
            ) : (
              <Snippet label={w.ignition} text={JSON.stringify(explained.ignition, null, 2)} />
            )}
            {explained.ignition_version != null && <p className="dim small">{explained.ignition_version}</p>}
          </section>
          <Provenance explained={explained} />
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

/** The decision of its newest boot against that of now. */
function Changed({ machine, explained }: { machine: Machine; explained: Explanation }) {
  const id = machine.boot?.id;
  const boot = useQuery({ ...bootQuery(id ?? ""), enabled: id !== undefined });
  if (id === undefined) return <p className="dim">{more.changedNever}</p>;
  return (
    <Loaded query={boot} what={common.reading(words.tabs.boot)}>
      {(booted) => {
        const lines = diff(told(booted.decision), told(explained.decision));
        return lines.length === 0 ? (
          <p className="dim">{more.changedNone}</p>
        ) : (
          <Diff lines={lines} label={more.changed} />
        );
      }}
    </Loaded>
  );
}

/** Of a record of a decision, the decision: what was asked, and when, is another each time. */
const told = (record: unknown): string => {
  const decision = typeof record === "object" && record !== null && "decision" in record ? record.decision : record;
  return stringify(decision ?? null, { sortMapEntries: true });
};

/** The revision that it runs against the one that it is to run. */
function Drift({ machine }: { machine: Machine }) {
  const { profile } = machine;
  const running = profile?.running;
  const apart = profile !== null && running != null && running !== profile.desired;
  const name = profile?.name ?? "";
  const before = useQuery({ ...revisionQuery("profiles", name, running ?? 0), enabled: apart });
  const after = useQuery({ ...revisionQuery("profiles", name, profile?.desired ?? 0), enabled: apart });
  if (profile === null) return null;
  if (running == null) return <p className="dim">{more.driftNever}</p>;
  if (!apart) return <p className="dim">{more.driftNone(running)}</p>;
  const title = more.drift(running, profile.desired);
  return (
    <>
      <h2 className="second">{title}</h2>
      <Loaded query={before} what={common.reading(title)}>
        {(old) => (
          <Loaded query={after} what={common.reading(title)}>
            {(fresh) => <Diff lines={diff(stringify(old.spec), stringify(fresh.spec))} label={title} />}
          </Loaded>
        )}
      </Loaded>
    </>
  );
}

type Variables = NonNullable<NonNullable<Explanation["kernel_args"]>[number]["variables"]>;

const shown = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

function Where({ from, variables = [] }: { from: string; variables?: Variables | undefined }) {
  return (
    <>
      {from}
      {variables.map((variable) => (
        <div key={variable.name} className="dim small">
          {more.variable(variable.name, shown(variable.value), variable.from)}
        </div>
      ))}
    </>
  );
}

function Kernel({ explained }: { explained: Explanation }) {
  const all = explained.kernel_args ?? [];
  return (
    <section className="panel">
      <h2>{more.kernel}</h2>
      {all.length === 0 ? (
        <p className="dim">{more.noKernel}</p>
      ) : (
        <table className="plain tight">
          <thead>
            <tr>
              <th scope="col">{more.argument}</th>
              <th scope="col">{more.from}</th>
            </tr>
          </thead>
          <tbody>
            {all.map((one, index) => (
              <tr key={index}>
                <td className="mono">{one.argument}</td>
                <td>
                  <Where from={one.from} variables={one.variables} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Dhcp({ explained }: { explained: Explanation }) {
  return (explained.dhcp ?? []).map((step) => (
    <section key={step.asks} className="panel">
      <h2>{more.asks[step.asks] ?? step.asks}</h2>
      <p className="small">{step.answer}</p>
      <table className="plain tight">
        <thead>
          <tr>
            <th scope="col">{more.field}</th>
            <th scope="col">{more.value}</th>
            <th scope="col">{more.from}</th>
          </tr>
        </thead>
        <tbody>
          {step.fields.map((one, index) => (
            <tr key={index}>
              <td>
                {one.code != null && <span className="dim">{one.code} </span>}
                {one.name}
              </td>
              <td className="mono">{one.value}</td>
              <td className="dim">{one.from}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  ));
}

function Provenance({ explained }: { explained: Explanation }) {
  const all = explained.provenance ?? [];
  if (all.length === 0) return null;
  return (
    <section className="panel wide">
      <h2>{more.provenance}</h2>
      <div className="scroll tall" tabIndex={0} role="region" aria-label={more.provenance}>
        <table className="plain tight">
          <thead>
            <tr>
              <th scope="col">{more.path}</th>
              <th scope="col">{more.value}</th>
              <th scope="col">{more.from}</th>
            </tr>
          </thead>
          <tbody>
            {all.map((one, index) => (
              <tr key={index}>
                <td className="mono">{one.path}</td>
                <td className="mono">{shown(one.value)}</td>
                <td>
                  <Where
                    from={[`${one.profile}, ${one.field}`, one.line == null ? "" : more.line(one.line)]
                      .filter(Boolean)
                      .join(", ")}
                    variables={one.variables}
                  />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
