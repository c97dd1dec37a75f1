import { Alert, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { client, data, type Daemon as System, type Findings, type Operation, type Task } from "../api/client";
import { findingsQuery, operationsQuery, systemQuery, tasksQuery } from "../api/more";
import { download } from "../logic/table";
import { bytes, span } from "../logic/time";
import { ActionButton, useRoleReason } from "../parts/Actions";
import { Fetching } from "../parts/editor/Fetching";
import { Icon } from "../parts/Icon";
import { Page } from "../parts/Page";
import { PageTabs } from "../parts/PageTabs";
import { type PlainColumn, PlainTable } from "../parts/PlainTable";
import { Ago, Moment } from "../parts/Time";
import { Empty, ErrorBox, Loaded, Waiting } from "../parts/Trouble";
import { common } from "../words/common";
import { system as words } from "../words/system";

const route = getRouteApi("/system");
const TABS = ["about", "doctor", "tasks", "operations"] as const;
const BODIES = {
  about: () => <About />,
  doctor: () => <Doctor />,
  tasks: () => <Tasks />,
  operations: () => <Operations />,
};
/** Clocks that differ by this much are worth a word. */
const OFF = 5000;

export function SystemPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const tab = TABS.find((known) => known === search.tab) ?? "about";
  return (
    <Page
      title={words.title}
      calls={[
        { what: "What the daemon is", path: "system", cli: "pilotlight system" },
        { what: "Look at the host and its networks", method: "POST", path: "doctor", cli: "pilotlight doctor" },
        { what: "Background passes", path: "tasks", cli: "pilotlight tasks" },
        { what: "What goes on", path: "operations", cli: "pilotlight operation list" },
        { what: "The support bundle", path: "support-bundle", cli: "pilotlight support-bundle" },
      ]}
    >
      <PageTabs
        tabs={TABS.map((key) => ({ key, title: words.tabs[key], body: BODIES[key] }))}
        open={tab}
        choose={(key) => void navigate({ search: key === "about" ? {} : { tab: key } })}
      />
    </Page>
  );
}

function About() {
  const query = useQuery(systemQuery);
  return (
    <Loaded query={query} what={common.reading(words.reading)}>
      {(system) => (
        <div className="panels">
          <section className="panel">
            <h2>{words.tabs.about}</h2>
            <Daemon system={system} read={query.dataUpdatedAt} />
          </section>
          <section className="panel">
            <h2>{words.holds}</h2>
            <dl className="pairs">
              {Object.entries(system.resources).map(([kind, count]) => (
                <Counted key={kind} kind={kind} count={count} />
              ))}
            </dl>
          </section>
          <Bundle />
        </div>
      )}
    </Loaded>
  );
}

function Counted({ kind, count }: { kind: string; count: number }) {
  return (
    <>
      <dt>{kind}</dt>
      <dd>{count.toLocaleString("en")}</dd>
    </>
  );
}

function Daemon({ system, read }: { system: System; read: number }) {
  const off = Math.abs(Date.parse(system.now) - read);
  const { kind, bytes: size, migration } = system.database;
  return (
    <dl className="pairs">
      <dt>{words.version}</dt>
      <dd>{system.version}</dd>
      <dt>{words.site}</dt>
      <dd>{system.site}</dd>
      <dt>{words.started}</dt>
      <dd>
        <Moment at={system.started} /> <span className="dim">({<Ago at={system.started} />})</span>
      </dd>
      <dt>{words.clock}</dt>
      <dd className={off > OFF ? "stage-failed" : undefined}>
        {off > OFF ? words.clockOff(span(off)) : words.clockGood}
      </dd>
      <dt>{words.database}</dt>
      <dd>{words.databaseIs(kind, bytes(size), migration)}</dd>
      <dt>{words.listens}</dt>
      <dd>
        <ul className="bare">
          {system.listens.map((one) => (
            <li key={`${one.service} ${one.at}`}>
              {one.service} <span className="mono">{one.at}</span>
            </li>
          ))}
        </ul>
      </dd>
    </dl>
  );
}

function Bundle() {
  const role = useRoleReason("admin");
  const make = useMutation({
    mutationFn: async () => {
      const bundle = await data(client.GET("/api/v1/support-bundle"));
      const text = `${JSON.stringify(bundle, null, 2)}\n`;
      download(`pilotlight-support-${bundle.system.site}-${bundle.made.slice(0, 10)}.json`, "application/json", text);
      return text.length;
    },
  });
  return (
    <section className="panel">
      <h2>{words.bundle.heading}</h2>
      <Text size="sm">{words.bundle.text}</Text>
      <Text size="sm" className="dim" my="xs">
        {words.bundle.without}
      </Text>
      <ActionButton label={words.bundle.button} reason={role} onClick={() => make.mutate()} />
      {make.isPending && <Waiting what={words.bundle.making} />}
      {make.isError && <ErrorBox error={make.error} />}
      {make.data !== undefined && (
        <Text size="sm" role="status" mt="xs">
          {words.bundle.done(bytes(make.data))}
        </Text>
      )}
    </section>
  );
}

function Doctor() {
  const queries = useQueryClient();
  const last = useQuery(findingsQuery);
  const role = useRoleReason("editor");
  const look = useMutation({
    mutationFn: () => data(client.POST("/api/v1/doctor")),
    onSuccess: (found) => queries.setQueryData(findingsQuery.queryKey, found),
  });
  return (
    <>
      <div className="above">
        <ActionButton
          label={words.doctor.look}
          reason={role}
          onClick={() => {
            if (!look.isPending) look.mutate();
          }}
        />
      </div>
      {look.isPending && <Waiting what={words.doctor.looking} />}
      {look.isError && <ErrorBox error={look.error} />}
      <Loaded query={last} what={common.reading(words.readingFindings)}>
        {(found) =>
          found.at == null ? (
            <Empty title={words.doctor.never}>{words.doctor.neverHint}</Empty>
          ) : (
            <Found found={found} at={found.at} />
          )
        }
      </Loaded>
    </>
  );
}

type Check = Findings["checks"][number];
const MARKS = { ok: "check", warn: "warning", fail: "cross" } as const;

const CHECKS: readonly PlainColumn<Check>[] = [
  { title: words.doctor.check, names: true, cell: (one) => one.check },
  {
    title: words.doctor.status,
    className: (one) => `nowrap check-${one.status}`,
    cell: (one) => (
      <>
        <Icon name={MARKS[one.status]} size={13} /> {words.doctor.states[one.status]}
      </>
    ),
  },
  { title: words.doctor.seen, className: "wrap", cell: (one) => one.seen },
  { title: words.doctor.fix, className: "wrap", cell: (one) => one.fix },
];

function Found({ found, at }: { found: Findings; at: string }) {
  const count = (status: string) => found.checks.filter((one) => one.status === status).length;
  const [fails, warns] = [count("fail"), count("warn")];
  // What is wrong comes first.
  const rank = { fail: 0, warn: 1, ok: 2 };
  const checks = [...found.checks].sort((a, b) => rank[a.status] - rank[b.status]);
  return (
    <>
      <Alert
        color={fails > 0 ? "red" : warns > 0 ? "yellow" : "green"}
        role="status"
        mb="sm"
        title={fails + warns === 0 ? words.doctor.good : words.doctor.bad(fails, warns)}
      >
        {words.doctor.at} <Ago at={at} />
      </Alert>
      <PlainTable label={words.doctor.table} rows={checks} columns={CHECKS} id={(_, index) => index} />
    </>
  );
}

const PASSES: readonly PlainColumn<Task>[] = [
  { title: words.tasks.name, names: true, cell: (task) => task.name },
  {
    title: words.tasks.does,
    cell: (task) => (
      <>
        {task.does}
        {task.error != null && (
          <div className="stage-failed wrap">
            {words.tasks.error}: {task.error}
          </div>
        )}
      </>
    ),
  },
  { title: words.tasks.every, className: "nowrap", cell: (task) => span(task.every * 1000) },
  {
    title: words.tasks.last,
    cell: (task) => (task.last == null ? words.tasks.notYet : <Ago at={task.last} />),
  },
  {
    title: words.tasks.took,
    className: "nowrap",
    cell: (task) => (task.millis == null ? common.none : `${task.millis.toLocaleString("en")} ms`),
  },
  { title: words.tasks.passes, cell: (task) => task.passes.toLocaleString("en") },
  {
    title: words.tasks.failed,
    className: (task) => (task.failed > 0 ? "stage-failed" : undefined),
    cell: (task) => task.failed.toLocaleString("en"),
  },
];

function Tasks() {
  const query = useQuery(tasksQuery);
  return (
    <Loaded query={query} what={common.reading(words.readingTasks)}>
      {(tasks) => <PlainTable label={words.tasks.table} rows={tasks} columns={PASSES} id={(task) => task.name} />}
    </Loaded>
  );
}

const OPERATIONS: readonly PlainColumn<Operation>[] = [
  { title: words.operations.what, names: true, cell: (one) => one.what },
  { title: words.operations.by, cell: (one) => one.by },
  {
    title: words.operations.state,
    className: (one) => (one.state === "failed" ? "stage-failed" : undefined),
    cell: (one) => (
      <>
        {words.operations.states[one.state]}
        {one.problem != null && <div className="wrap">{one.problem.detail}</div>}
      </>
    ),
  },
  { title: words.operations.started, cell: (one) => <Ago at={one.started} /> },
  {
    title: words.operations.progress,
    cell: (one) => ((one.transfers ?? []).length > 0 ? <Fetching operation={one} /> : common.none),
  },
];

function Operations() {
  const query = useQuery(operationsQuery);
  return (
    <Loaded query={query} what={common.reading(words.operations.reading)}>
      {(all) =>
        all.length === 0 ? (
          <Empty title={words.operations.none}>{words.operations.noneHint}</Empty>
        ) : (
          <PlainTable label={words.operations.table} rows={all} columns={OPERATIONS} id={(one) => one.id} />
        )
      }
    </Loaded>
  );
}
