import { Alert, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, getRouteApi } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense, useEffect, useState } from "react";
import type { Machine, MachineAction } from "../api/client";
import { mediansQuery } from "../api/site";
import { machineEventsQuery, machineQuery } from "../api/queries";
import { useForbidden } from "../api/rights";
import { ACTIONS, refusal } from "../logic/action";
import type { Call } from "../logic/code";
import { field, rowOf } from "../logic/row";
import { ActionButton, ActionDialog } from "../parts/Actions";
import { Diagnosed } from "../parts/Diagnosed";
import { EventList } from "../parts/EventList";
import { Disks, Interfaces } from "../parts/Interfaces";
import { Page } from "../parts/Page";
import { PageTabs } from "../parts/PageTabs";
import { StageMark } from "../parts/Stage";
import { Ago } from "../parts/Time";
import { Loaded, Waiting } from "../parts/Trouble";
import { Waterfall } from "../parts/Waterfall";
import { common } from "../words/common";
import { machine as words, machines } from "../words/machines";
import { disks } from "../words/operations";
import { BootHead, Boots } from "./machine/Boots";
import { Console } from "./machine/Console";
import { FactsTab } from "./machine/Facts";
import { Gets } from "./machine/Gets";
import { Timeline } from "./machine/Timeline";

const Source = lazy(() => import("./machine/Source").then((module) => ({ default: module.Source })));
const route = getRouteApi("/machines/$name");
const TABS = ["summary", "boot", "timeline", "facts", "gets", "console", "source"] as const;
const BODIES: Record<(typeof TABS)[number], (machine: Machine) => ReactNode> = {
  summary: (machine) => <Summary machine={machine} />,
  boot: (machine) => <Boots machine={machine} />,
  timeline: (machine) => <Timeline machine={machine} />,
  facts: (machine) => <FactsTab machine={machine} />,
  gets: (machine) => <Gets machine={machine} />,
  console: (machine) => <Console machine={machine} />,
  source: (machine) => (
    <Suspense fallback={<Waiting what={common.reading(words.reading)} />}>
      <Source machine={machine} />
    </Suspense>
  ),
};

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
    { what: "How others like it boot", path: `machines/${name}/medians` },
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
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const forbidden = useForbidden();
  const row = rowOf(machine);
  const why = (one: MachineAction) => forbidden(one, "Machine", (name) => field(row, name)) ?? refusal(one, subject);
  const [action, setAction] = useState<MachineAction>();
  const subject = { stage: machine.stage, held: machine.hold !== null, profiled: machine.profile !== null };
  // Of hold and release only the one that can be meant.
  const shown = ACTIONS.filter((one) => (subject.held ? one !== "hold" : one !== "release"));
  // The palette leads here with what is to be done; what is not allowed is not begun. It is begun once: that it is done changes what
  // is allowed, and its outcome stays to be read.
  const asked = ACTIONS.find((one) => one === search.act);
  const allowed = asked !== undefined && why(asked) === undefined;
  useEffect(() => {
    if (asked === undefined) return;
    if (allowed) setAction(asked);
    void navigate({ search: ({ act, ...rest }) => rest, replace: true });
  }, [asked, allowed, navigate]);
  const close = () => setAction(undefined);
  return (
    <>
      {shown.map((one) => (
        <ActionButton key={one} label={machines.action[one]} reason={why(one)} onClick={() => setAction(one)} />
      ))}
      {action !== undefined && <ActionDialog action={action} names={[machine.name]} close={close} />}
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
          {machine.diagnosis != null && <Diagnosed diagnosis={machine.diagnosis} />}
        </Alert>
      )}
      {machine.why == null && machine.diagnosis != null && (
        <Alert color="red" title={words.noBoot} className="wrap">
          <Diagnosed diagnosis={machine.diagnosis} />
        </Alert>
      )}
      {machine.ladder != null && (
        <Alert color="yellow" title={words.ladder} className="wrap">
          <ol>
            {machine.ladder.tried.map((one) => (
              <li key={one.at}>
                {words.steps[one.step]} ({one.for}), <Ago at={one.at} />
              </li>
            ))}
          </ol>
          {machine.ladder.ended != null && words.ladderEnd}
        </Alert>
      )}
      {(machine.conflicts?.length ?? 0) > 0 && (
        <Alert color="red" title={words.conflicts} className="wrap">
          {machine.conflicts?.map((conflict) => (
            <div key={conflict}>{conflict}</div>
          ))}
        </Alert>
      )}
      <PageTabs
        tabs={TABS.map((key) => ({ key, title: words.tabs[key], body: () => BODIES[key](machine) }))}
        open={tab}
        choose={(key) => void navigate({ search: key === "summary" ? {} : { tab: key } })}
      />
    </>
  );
}

function Summary({ machine }: { machine: Machine }) {
  const events = useQuery(machineEventsQuery(machine.name));
  const usual = useQuery(mediansQuery(machine.name, undefined));
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
          <Waterfall boot={boot} usual={usual.data} />
        </section>
      )}
      {facts !== null && (
        <section className="panel">
          <h2>{words.facts.nics}</h2>
          <Interfaces facts={facts} />
          {facts.disks.length > 0 && (
            <>
              <h2 className="second">{words.facts.disks}</h2>
              <Disks facts={facts} label={disks.picture} />
            </>
          )}
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
