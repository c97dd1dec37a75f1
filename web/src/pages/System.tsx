import { Alert, Tabs, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { client, data, type Daemon as System, type Findings, type Task } from "../api/client";
import { findingsQuery, operationsQuery, systemQuery, tasksQuery } from "../api/more";
import { download } from "../logic/table";
import { bytes, span } from "../logic/time";
import { ActionButton, useRoleReason } from "../parts/Actions";
import { Fetching } from "../parts/editor/Fetching";
import { Icon } from "../parts/Icon";
import { Page } from "../parts/Page";
import { Ago, Moment } from "../parts/Time";
import { Empty, ErrorBox, Loaded, Waiting } from "../parts/Trouble";
import { common } from "../words/common";
import { system as words } from "../words/system";

const route = getRouteApi("/system");
const TABS = ["about", "doctor", "tasks", "operations"] as const;
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
      <Tabs
        value={tab}
        onChange={(value) => void navigate({ search: value === "about" ? {} : { tab: value ?? "" } })}
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
          <Tabs.Panel value="about">
            <About />
          </Tabs.Panel>
          <Tabs.Panel value="doctor">
            <Doctor />
          </Tabs.Panel>
          <Tabs.Panel value="tasks">
            <Tasks />
          </Tabs.Panel>
          <Tabs.Panel value="operations">
            <Operations />
          </Tabs.Panel>
        </div>
      </Tabs>
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

const MARKS = { ok: "check", warn: "warning", fail: "cross" } as const;

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
      <div className="scroll" tabIndex={0} role="region" aria-label={words.doctor.table}>
        <table className="plain">
          <caption className="unseen">{words.doctor.table}</caption>
          <thead>
            <tr>
              {[words.doctor.check, words.doctor.status, words.doctor.seen, words.doctor.fix].map((title) => (
                <th key={title} scope="col">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {checks.map((one, index) => (
              <tr key={index}>
                <th scope="row">{one.check}</th>
                <td className={`nowrap check-${one.status}`}>
                  <Icon name={MARKS[one.status]} size={13} /> {words.doctor.states[one.status]}
                </td>
                <td className="wrap">{one.seen}</td>
                <td className="wrap">{one.fix}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Tasks() {
  const query = useQuery(tasksQuery);
  return (
    <Loaded query={query} what={common.reading(words.readingTasks)}>
      {(tasks) => (
        <div className="scroll" tabIndex={0} role="region" aria-label={words.tasks.table}>
          <table className="plain">
            <caption className="unseen">{words.tasks.table}</caption>
            <thead>
              <tr>
                {[
                  words.tasks.name,
                  words.tasks.does,
                  words.tasks.every,
                  words.tasks.last,
                  words.tasks.took,
                  words.tasks.passes,
                  words.tasks.failed,
                ].map((title) => (
                  <th key={title} scope="col">
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {tasks.map((task) => (
                <Pass key={task.name} task={task} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Loaded>
  );
}

function Pass({ task }: { task: Task }) {
  return (
    <tr>
      <th scope="row">{task.name}</th>
      <td>
        {task.does}
        {task.error != null && (
          <div className="stage-failed wrap">
            {words.tasks.error}: {task.error}
          </div>
        )}
      </td>
      <td className="nowrap">{span(task.every * 1000)}</td>
      <td>{task.last == null ? words.tasks.notYet : <Ago at={task.last} />}</td>
      <td className="nowrap">{task.millis == null ? common.none : `${task.millis.toLocaleString("en")} ms`}</td>
      <td>{task.passes.toLocaleString("en")}</td>
      <td className={task.failed > 0 ? "stage-failed" : undefined}>{task.failed.toLocaleString("en")}</td>
    </tr>
  );
}

function Operations() {
  const query = useQuery(operationsQuery);
  return (
    <Loaded query={query} what={common.reading(words.operations.reading)}>
      {(all) =>
        all.length === 0 ? (
          <Empty title={words.operations.none}>{words.operations.noneHint}</Empty>
        ) : (
          <div className="scroll" tabIndex={0} role="region" aria-label={words.operations.table}>
            <table className="plain">
              <caption className="unseen">{words.operations.table}</caption>
              <thead>
                <tr>
                  {[
                    words.operations.what,
                    words.operations.by,
                    words.operations.state,
                    words.operations.started,
                    words.operations.progress,
                  ].map((title) => (
                    <th key={title} scope="col">
                      {title}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {all.map((one) => (
                  <tr key={one.id}>
                    <th scope="row">{one.what}</th>
                    <td>{one.by}</td>
                    <td className={one.state === "failed" ? "stage-failed" : undefined}>
                      {words.operations.states[one.state]}
                      {one.problem != null && <div className="wrap">{one.problem.detail}</div>}
                    </td>
                    <td>
                      <Ago at={one.started} />
                    </td>
                    <td>{(one.transfers ?? []).length > 0 ? <Fetching operation={one} /> : common.none}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )
      }
    </Loaded>
  );
}
