import { Alert, Group, Select, Tabs, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import type { Boot, Machine, MachineAction } from "../api/client";
import { bootQuery, machineBootsQuery, machineEventsQuery, machineQuery } from "../api/queries";
import { ACTIONS, refusal } from "../logic/action";
import type { Call } from "../logic/code";
import { span } from "../logic/time";
import { ActionButton, ActionDialog, useRoleReason } from "../parts/Actions";
import { EventList } from "../parts/EventList";
import { Page, Snippet } from "../parts/Page";
import { StageMark } from "../parts/Stage";
import { Ago, Moment } from "../parts/Time";
import { Empty, Loaded, Waiting } from "../parts/Trouble";
import { Waterfall } from "../parts/Waterfall";
import { common } from "../words/common";
import { machine as words, machines } from "../words/machines";
import { Console } from "./machine/Console";
import { FactsTab } from "./machine/Facts";
import { Gets } from "./machine/Gets";
import { Timeline } from "./machine/Timeline";

const Source = lazy(() => import("./machine/Source").then((module) => ({ default: module.Source })));
const route = getRouteApi("/machines/$name");
const TABS = ["summary", "boot", "timeline", "facts", "gets", "console", "source"] as const;

export function MachinePage() {
  const { name } = route.useParams();
  const query = useQuery(machineQuery(name));
  const calls: Call[] = [
    { what: "The machine", path: `machines/${name}`, cli: `pilotlight describe machine ${name}` },
    { what: "What it gets now, and why", path: `machines/${name}/explain`, cli: `pilotlight explain ${name}` },
    { what: "Its boots", path: `boots?machine=${name}`, cli: `pilotlight get boots --machine ${name}` },
    {
      what: "Its events, as they happen",
      path: `events?object=machine/${name}`,
      cli: `pilotlight events --follow --object machine/${name}`,
    },
    {
      what: "Arm it for the newest revision of its profile",
      method: "POST",
      path: `machines/${name}/provision`,
      cli: `pilotlight machine provision ${name}`,
    },
  ];
  return (
    <Page title={name} calls={calls} aside={query.data && <Actions machine={query.data} />}>
      <Loaded query={query} what={common.reading(words.reading)}>
        {(machine) => <Body machine={machine} />}
      </Loaded>
    </Page>
  );
}

function Actions({ machine }: { machine: Machine }) {
  const [action, setAction] = useState<MachineAction>();
  const role = useRoleReason("operator");
  const subject = { stage: machine.stage, held: machine.hold !== null, profiled: machine.profile !== null };
  // Of hold and release only the one that can be meant.
  const shown = ACTIONS.filter((one) => (subject.held ? one !== "hold" : one !== "release"));
  return (
    <>
      {shown.map((one) => (
        <ActionButton
          key={one}
          label={machines.action[one]}
          reason={role ?? refusal(one, subject)}
          onClick={() => setAction(one)}
        />
      ))}
      {action !== undefined && (
        <ActionDialog action={action} names={[machine.name]} close={() => setAction(undefined)} />
      )}
    </>
  );
}

function Body({ machine }: { machine: Machine }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const tab = TABS.find((known) => known === search.tab) ?? "summary";
  return (
    <>
      {machine.hold !== null && (
        <Alert color="yellow" title={words.held(machine.hold.by, machine.hold.reason)} className="wrap" />
      )}
      {machine.why != null && (
        <Alert color="red" title={words.failed} className="wrap">
          {machine.why}
        </Alert>
      )}
      {(machine.conflicts?.length ?? 0) > 0 && (
        <Alert color="red" title={words.conflicts} className="wrap">
          {machine.conflicts?.map((conflict) => (
            <div key={conflict}>{conflict}</div>
          ))}
        </Alert>
      )}
      <Tabs
        value={tab}
        onChange={(value) => void navigate({ search: value === null || value === "summary" ? {} : { tab: value } })}
        keepMounted={false}
      >
        <Tabs.List>
          {TABS.map((one) => (
            <Tabs.Tab key={one} value={one}>
              {words.tabs[one]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <div className="tabbody">
          <Tabs.Panel value="summary">
            <Summary machine={machine} />
          </Tabs.Panel>
          <Tabs.Panel value="boot">
            <Boots machine={machine} />
          </Tabs.Panel>
          <Tabs.Panel value="timeline">
            <Timeline name={machine.name} />
          </Tabs.Panel>
          <Tabs.Panel value="facts">
            <FactsTab machine={machine} />
          </Tabs.Panel>
          <Tabs.Panel value="gets">
            <Gets name={machine.name} />
          </Tabs.Panel>
          <Tabs.Panel value="console">
            <Console machine={machine} />
          </Tabs.Panel>
          <Tabs.Panel value="source">
            <Suspense fallback={<Waiting what={common.reading(words.reading)} />}>
              <Source machine={machine} />
            </Suspense>
          </Tabs.Panel>
        </div>
      </Tabs>
    </>
  );
}

function Summary({ machine }: { machine: Machine }) {
  const events = useQuery(machineEventsQuery(machine.name));
  const { spec, profile, facts, boot } = machine;
  const w = words.summary;
  const labels = Object.entries(machine.labels);
  return (
    <div className="panels">
      <section className="panel">
        <h2>{w.heading}</h2>
        <dl className="pairs">
          <dt>{w.stage}</dt>
          <dd>
            <StageMark stage={machine.stage} />
          </dd>
          <dt>{w.since}</dt>
          <dd>
            <Ago at={machine.since} />
          </dd>
          <dt>{w.power}</dt>
          <dd>{machine.power}</dd>
          <dt>{w.profile}</dt>
          <dd>
            {profile === null ? (
              w.noProfile
            ) : (
              <>
                <Link to="/profiles/$name" params={{ name: profile.name }}>
                  {profile.name}
                </Link>
                {`: ${w.wanted(profile.desired)}, ${w.runs(profile.running)} `}
                {profile.drift && <span className="tag tag-warn">{common.drift}</span>}
              </>
            )}
          </dd>
          <dt>{w.address}</dt>
          <dd className="mono">{boot?.address ?? common.none}</dd>
          {spec.ip != null && (
            <>
              <dt>{w.reserved}</dt>
              <dd className="mono">{spec.ip}</dd>
            </>
          )}
          <dt>{w.seen}</dt>
          <dd>
            <Ago at={machine.seen} />
          </dd>
        </dl>
      </section>
      <section className="panel">
        <h2>{w.identity}</h2>
        <dl className="pairs">
          <dt>{w.macs}</dt>
          <dd className="mono">
            {spec.macs.map((mac) => (
              <div key={mac}>{mac}</div>
            ))}
            {machine.learned_macs?.map((mac) => (
              <div key={mac}>
                {mac} <span className="tag">{w.learned}</span>
              </div>
            ))}
          </dd>
          <dt>{w.serial}</dt>
          <dd>{spec.serial ?? facts?.system.serial ?? common.none}</dd>
          <dt>{w.uuid}</dt>
          <dd className="mono">{spec.uuid ?? facts?.system.uuid ?? common.none}</dd>
          <dt>{w.model}</dt>
          <dd>{[facts?.system.vendor, facts?.system.product].filter(Boolean).join(" ") || common.none}</dd>
          {spec.rack != null && (
            <>
              <dt>{w.place}</dt>
              <dd>{w.unit(spec.rack, spec.unit)}</dd>
            </>
          )}
          <dt>{w.labels}</dt>
          <dd>
            {labels.length === 0 ? (
              w.noLabels
            ) : (
              <Group gap={4}>
                {labels.map(([key, value]) => (
                  <span key={key} className="tag">
                    {key}={value}
                  </span>
                ))}
              </Group>
            )}
          </dd>
        </dl>
      </section>
      {boot !== null && (
        <section className="panel">
          <h2>{w.newest}</h2>
          <BootHead boot={boot} />
          <Waterfall boot={boot} />
        </section>
      )}
      <section className="panel">
        <h2>{w.recent}</h2>
        <Loaded query={events} what={common.reading(words.tabs.timeline)}>
          {(list) =>
            list.length === 0 ? (
              <Text size="sm">{words.timeline.none}</Text>
            ) : (
              <EventList events={list.slice(0, 8)} objects={false} />
            )
          }
        </Loaded>
      </section>
    </div>
  );
}

const outcome = (boot: Boot): string => {
  if (boot.outcome === null) return words.boots.goesOn;
  const more =
    boot.outcome.result === "failed"
      ? boot.outcome.why
      : boot.outcome.result === "restarted"
        ? common.phases[boot.outcome.during]
        : undefined;
  return common.outcome(boot.outcome.result, more);
};

function BootHead({ boot }: { boot: Boot }) {
  const took = boot.ended === null ? undefined : Date.parse(boot.ended) - Date.parse(boot.started);
  return (
    <Text size="sm" mb={8} className="wrap">
      <Moment at={boot.started} />
      {took !== undefined && ` · ${span(took)}`} · <b>{outcome(boot)}</b>
    </Text>
  );
}

function Boots({ machine }: { machine: Machine }) {
  const list = useQuery(machineBootsQuery(machine.name));
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const id = search.boot ?? machine.boot?.id;
  return (
    <Loaded query={list} what={common.reading(words.tabs.boot)}>
      {(boots) => {
        if (id === undefined) return <Empty title={words.boots.none}>{words.boots.noneHint}</Empty>;
        const took = boots
          .filter((boot) => boot.outcome?.result === "active" && boot.ended !== null)
          .map((boot) => Date.parse(boot.ended ?? "") - Date.parse(boot.started));
        const median = took.sort((a, b) => a - b)[took.length >> 1];
        return (
          <>
            <Select
              label={words.boots.choose}
              size="xs"
              w={{ base: "100%", sm: 420 }}
              mb="sm"
              allowDeselect={false}
              value={id}
              data={boots.map((boot) => ({
                value: boot.id,
                label: `${new Date(boot.started).toLocaleString()}: ${outcome(boot)}`,
              }))}
              onChange={(value) => void navigate({ search: { ...search, boot: value ?? undefined } as typeof search })}
            />
            {median !== undefined && (
              <Text size="sm" className="dim" mb="xs">
                {words.boots.median(span(median), took.length)}
              </Text>
            )}
            <OneBoot id={id} />
          </>
        );
      }}
    </Loaded>
  );
}

function OneBoot({ id }: { id: string }) {
  const query = useQuery(bootQuery(id));
  return (
    <Loaded query={query} what={common.reading(words.tabs.boot)}>
      {(boot) => (
        <div className="panels">
          <section className="panel">
            <BootHead boot={boot} />
            <Waterfall boot={boot} />
            <table className="plain" style={{ marginTop: 10 }}>
              <tbody>
                {boot.phases
                  .filter((phase) => phase.detail != null)
                  .map((phase) => (
                    <tr key={phase.phase}>
                      <th scope="row">{common.phases[phase.phase] ?? phase.phase}</th>
                      <td>{phase.detail}</td>
                    </tr>
                  ))}
              </tbody>
            </table>
          </section>
          <section className="panel">
            <h2>{words.boots.decision}</h2>
            <Snippet label={words.boots.decision} text={JSON.stringify(boot.decision, null, 2)} />
          </section>
        </div>
      )}
    </Loaded>
  );
}
