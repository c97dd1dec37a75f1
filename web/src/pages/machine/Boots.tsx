import { SegmentedControl, Group, Select, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import type { Boot, Machine } from "../../api/client";
import { type ClassBy, mediansQuery } from "../../api/site";
import { bootQuery, machineBootsQuery } from "../../api/queries";
import { span } from "../../logic/time";
import { Diagnosed } from "../../parts/Diagnosed";
import { Snippet } from "../../parts/Page";
import { Moment } from "../../parts/Time";
import { Empty, Loaded } from "../../parts/Trouble";
import { type BootMedians, Waterfall } from "../../parts/Waterfall";
import { common } from "../../words/common";
import { machine as words } from "../../words/machines";
import { boot as more } from "../../words/operations";

const route = getRouteApi("/machines/$name");

export const outcome = (boot: Boot): string => {
  if (boot.outcome === null) return words.boots.goesOn;
  const why =
    boot.outcome.result === "failed"
      ? boot.outcome.why
      : boot.outcome.result === "restarted"
        ? common.phases[boot.outcome.during]
        : undefined;
  return common.outcome(boot.outcome.result, why);
};

export function BootHead({ boot }: { boot: Boot }) {
  const took = boot.ended === null ? undefined : Date.parse(boot.ended) - Date.parse(boot.started);
  return (
    <Text size="sm" mb={8} className="wrap">
      <Moment at={boot.started} />
      {took !== undefined && ` · ${span(took)}`} ·{" "}
      <b className={boot.outcome?.result === "failed" ? "stage-failed" : undefined}>{outcome(boot)}</b>
    </Text>
  );
}

/** The machine's boots: one of them in full, beside the median of its class. */
export function Boots({ machine }: { machine: Machine }) {
  const list = useQuery(machineBootsQuery(machine.name));
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const by: ClassBy | undefined = search.by === "model" || search.by === "profile" ? search.by : undefined;
  const usual = useQuery(mediansQuery(machine.name, by));
  const id = search.boot ?? machine.boot?.id;
  const set = (change: Partial<Record<"boot" | "by", string>>) =>
    void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  return (
    <Loaded query={list} what={common.reading(words.tabs.boot)}>
      {(boots) => {
        if (id === undefined) return <Empty title={words.boots.none}>{words.boots.noneHint}</Empty>;
        return (
          <>
            <Group align="flex-end" gap="sm" mb="sm">
              <Select
                label={words.boots.choose}
                size="xs"
                w={{ base: "100%", sm: 420 }}
                allowDeselect={false}
                value={id}
                data={boots.map((boot) => ({
                  value: boot.id,
                  label: `${new Date(boot.started).toLocaleString()}: ${outcome(boot)}`,
                }))}
                onChange={(value) => value !== null && set({ boot: value })}
              />
              <div>
                <Text size="xs" fw={500} mb={2} id="class">
                  {more.class}
                </Text>
                <SegmentedControl
                  size="xs"
                  aria-labelledby="class"
                  value={usual.data?.by ?? by ?? "profile"}
                  onChange={(value) => set({ by: value })}
                  data={[
                    { value: "profile", label: more.by.profile },
                    { value: "model", label: more.by.model },
                  ]}
                />
              </div>
            </Group>
            <OneBoot id={id} usual={usual.data} />
          </>
        );
      }}
    </Loaded>
  );
}

function OneBoot({ id, usual }: { id: string; usual: BootMedians | undefined }) {
  const query = useQuery(bootQuery(id));
  return (
    <Loaded query={query} what={common.reading(words.tabs.boot)}>
      {(boot) => {
        const details = boot.phases.filter((phase) => phase.detail != null);
        return (
          <div className="panels">
            <section className="panel wide">
              <BootHead boot={boot} />
              {boot.diagnosis != null && <Diagnosed diagnosis={boot.diagnosis} />}
              <Waterfall boot={boot} usual={usual} />
              {usual !== undefined && <Compared usual={usual} />}
            </section>
            {details.length > 0 && (
              <section className="panel">
                <h2>{words.boots.details}</h2>
                <table className="plain tight">
                  <tbody>
                    {details.map((phase) => (
                      <tr key={phase.phase}>
                        <th scope="row">{common.phases[phase.phase] ?? phase.phase}</th>
                        <td>{phase.detail}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </section>
            )}
            <section className="panel">
              <h2>{words.boots.decision}</h2>
              <Snippet label={words.boots.decision} text={JSON.stringify(boot.decision, null, 2)} />
            </section>
          </div>
        );
      }}
    </Loaded>
  );
}

function Compared({ usual }: { usual: BootMedians }) {
  if (usual.class == null) return <p className="dim small">{more.noClass[usual.by]}</p>;
  if (usual.boots === 0 || usual.took_ms == null) return <p className="dim small">{more.none(usual.class)}</p>;
  return (
    <div className="legend" style={{ marginTop: 10 }}>
      <span>
        <i className="key-own" />
        {more.own}
      </span>
      <span>
        <i className="key-usual" />
        {more.median}
      </span>
      <span>{more.compared(usual.boots, usual.class, span(usual.took_ms))}</span>
    </div>
  );
}
