import { Alert, Button, Group as Row, Select, Tabs, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useLocation, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import type { Group, Plural, Resource } from "../api/client";
import { fleetQuery } from "../api/fleet";
import { listQuery, resourceQuery, revisionQuery, revisionsQuery } from "../api/queries";
import { diff } from "../logic/diff";
import { documentText } from "../logic/documents";
import { TEMPLATES } from "../logic/templates";
import { Diff } from "../parts/Diff";
import { Page } from "../parts/Page";
import { Ago } from "../parts/Time";
import { Empty, Loaded, Waiting } from "../parts/Trouble";
import { common } from "../words/common";
import { editor as editorWords, resources as words } from "../words/pages";
import { forget, keep } from "../parts/editor/drafts";
import { NEW } from "./Resources";

const Editor = lazy(() => import("../parts/editor/Editor").then((module) => ({ default: module.Editor })));
const TABS = ["edit", "revisions", "use"] as const;

/** One profile, group, image or subnet: its editor, its revisions, its use. */
export function ResourcePage() {
  const first = useLocation().pathname.split("/")[1];
  const kind: Plural =
    first === "network" ? "subnets" : first === "groups" ? "groups" : first === "images" ? "images" : "profiles";
  const { name = "" } = useParams({ strict: false });
  if (name === NEW) {
    return (
      <Page
        title={words.create[kind]}
        calls={[
          { what: words.create[kind], method: "POST", path: "apply", body: [], cli: "pilotlight apply -f new.yaml" },
        ]}
      >
        <Suspense fallback={<Waiting what={editorWords.loading} />}>
          <Editor initial={TEMPLATES[kind]} draft={`${kind}/${NEW}`} />
        </Suspense>
      </Page>
    );
  }
  return <Existing key={`${kind}/${name}`} kind={kind} name={name} />;
}

function Existing({ kind, name }: { kind: Plural; name: string }) {
  const query = useQuery(resourceQuery(kind, name));
  const search = useSearch({ strict: false });
  const navigate = useNavigate();
  const tab = TABS.find((known) => known === search.tab) ?? "edit";
  const path = `${kind}/${name}`;
  return (
    <Page
      title={`${words.one[kind]} ${name}`}
      calls={[
        { what: "As it is declared", path, cli: `pilotlight get ${kind} ${name} -o yaml` },
        { what: "Its revisions", path: `${path}/revisions`, cli: `pilotlight history ${kind} ${name}` },
        {
          what: "What a change would do",
          method: "POST",
          path: "plan",
          body: [{ kind: words.one[kind], name, spec: "…" }],
          cli: `pilotlight plan -f ${name}.yaml`,
        },
        {
          what: "Change it",
          method: "POST",
          path: "apply",
          body: [{ kind: words.one[kind], name, spec: "…" }],
          cli: `pilotlight apply -f ${name}.yaml`,
        },
      ]}
    >
      <Loaded query={query} what={common.reading(words.one[kind].toLowerCase())}>
        {(resource) => (
          <Tabs
            value={tab}
            onChange={(value) =>
              void navigate({ to: ".", search: (value === "edit" ? {} : { tab: value ?? undefined }) as never })
            }
            keepMounted={false}
          >
            <Tabs.List>
              {TABS.filter((one) => one !== "use" || kind === "profiles").map((one) => (
                <Tabs.Tab key={one} value={one}>
                  {words.tabs[one]}
                </Tabs.Tab>
              ))}
            </Tabs.List>
            <div className="tabbody">
              <Tabs.Panel value="edit">
                <Suspense fallback={<Waiting what={editorWords.loading} />}>
                  <Edit kind={kind} resource={resource} />
                </Suspense>
              </Tabs.Panel>
              <Tabs.Panel value="revisions">
                <Revisions kind={kind} resource={resource} />
              </Tabs.Panel>
              <Tabs.Panel value="use">
                <Use name={name} />
              </Tabs.Panel>
            </div>
          </Tabs>
        )}
      </Loaded>
    </Page>
  );
}

/** The editor begins with one revision. If somebody saves another meanwhile, neither text is lost without a word. */
function Edit({ kind, resource }: { kind: Plural; resource: Resource }) {
  const draft = `${kind}/${resource.name}`;
  const [base, setBase] = useState(resource);
  const [dirty, setDirty] = useState(false);
  const [round, setRound] = useState(0);
  const [done, setDone] = useState(false);
  const moved = base.revision !== resource.revision;
  const begin = (with_: Resource) => {
    setBase(with_);
    setRound((before) => before + 1);
  };
  // What was not touched follows what is there.
  if (moved && !dirty) begin(resource);
  return (
    <>
      {moved && dirty && (
        <Alert color="yellow" mb="sm" role="alert" title={words.changedMeanwhile(resource.revision)}>
          <Text size="sm">{words.theirsDiff}</Text>
          <Diff label={words.theirsDiff} lines={diff(documentText(base), documentText(resource))} />
          <Row gap="xs">
            <Button
              size="xs"
              variant="default"
              onClick={() => {
                forget(draft);
                setDirty(false);
                begin(resource);
              }}
            >
              {words.theirs}
            </Button>
            <Button size="xs" variant="default" onClick={() => setBase(resource)}>
              {words.mine}
            </Button>
          </Row>
        </Alert>
      )}
      <Editor
        key={round}
        initial={documentText(base)}
        draft={draft}
        basis={resource.revision}
        done={done}
        changed={(now) => {
          setDirty(now);
          if (now) setDone(false);
        }}
        applied={() => {
          setDirty(false);
          setDone(true);
        }}
      />
    </>
  );
}

function Revisions({ kind, resource }: { kind: Plural; resource: Resource }) {
  const list = useQuery(revisionsQuery(kind, resource.name));
  const search = useSearch({ strict: false });
  const navigate = useNavigate();
  const chosen = Number(search.revision ?? resource.revision);
  return (
    <Loaded query={list} what={common.reading(words.tabs.revisions.toLowerCase())}>
      {(revisions) => {
        if (revisions.length === 0) return <Empty title={words.noRevisions} />;
        const at = revisions.findIndex((one) => one.revision === chosen);
        const before = revisions[at + 1]?.revision;
        return (
          <div className="panels">
            <section className="panel">
              <table className="plain">
                <thead>
                  <tr>
                    <th scope="col">{words.revision}</th>
                    <th scope="col">{words.updated}</th>
                    <th scope="col">{editorWords.message}</th>
                  </tr>
                </thead>
                <tbody>
                  {revisions.map((one) => (
                    <tr key={one.revision} aria-current={one.revision === chosen ? "true" : undefined}>
                      <td>
                        <Link to="." search={{ tab: "revisions", revision: String(one.revision) } as never}>
                          {one.revision === chosen ? <b>{one.revision}</b> : one.revision}
                        </Link>
                      </td>
                      <td>
                        <Ago at={one.at} /> {words.by(one.by)}
                      </td>
                      <td>{one.message}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </section>
            <section className="panel">
              <Select
                size="xs"
                label={words.revision}
                allowDeselect={false}
                value={String(chosen)}
                data={revisions.map((one) => String(one.revision))}
                onChange={(value) =>
                  void navigate({ to: ".", search: { tab: "revisions", revision: value ?? undefined } as never })
                }
              />
              <OneRevision
                kind={kind}
                name={resource.name}
                revision={chosen}
                before={before}
                current={resource.revision}
              />
            </section>
          </div>
        );
      }}
    </Loaded>
  );
}

function OneRevision({
  kind,
  name,
  revision,
  before,
  current,
}: {
  kind: Plural;
  name: string;
  revision: number;
  before: number | undefined;
  current: number;
}) {
  const navigate = useNavigate();
  const one = useQuery(revisionQuery(kind, name, revision));
  const older = useQuery({ ...revisionQuery(kind, name, before ?? revision), enabled: before !== undefined });
  const text = (found: { labels?: Record<string, string> | null; spec?: unknown }) =>
    documentText({ kind: words.one[kind], name, labels: found.labels ?? null, spec: found.spec });
  return (
    <Loaded query={one} what={common.reading(words.revision.toLowerCase())}>
      {(found) => {
        const lines =
          before === undefined
            ? diff("", text(found))
            : older.data === undefined
              ? undefined
              : diff(text(older.data), text(found));
        return (
          <>
            <Text size="sm" mt="xs">
              {before === undefined ? words.first : words.against(revision)}
            </Text>
            {lines === undefined ? (
              <Waiting what={common.reading(words.revision.toLowerCase())} />
            ) : lines.length === 0 ? (
              <Text size="sm">{words.same}</Text>
            ) : (
              <Diff label={words.against(revision)} lines={lines} />
            )}
            {revision !== current && (
              <Button
                size="xs"
                variant="default"
                onClick={() => {
                  keep(`${kind}/${name}`, text(found));
                  void navigate({ to: ".", search: {} as never });
                }}
              >
                {words.rollBack(revision)}
              </Button>
            )}
          </>
        );
      }}
    </Loaded>
  );
}

function Use({ name }: { name: string }) {
  const fleet = useQuery(fleetQuery(useQueryClient()));
  const groups = useQuery(listQuery<Group>("groups"));
  const rows = (fleet.data?.rows ?? []).filter((row) => row.profile === name);
  const drifted = rows.filter((row) => row.drift);
  return (
    <dl className="pairs">
      <dt>{words.groups}</dt>
      <dd>
        {groups.data
          ?.filter((group) => group.spec.profile === name)
          .map((group) => (
            <Link key={group.name} className="spaced" to="/groups/$name" params={{ name: group.name }}>
              {group.name}
            </Link>
          ))}
      </dd>
      <dt>{words.usedBy}</dt>
      <dd>
        <Link to="/machines" search={{ find: name }}>
          {common.machines(rows.length)}
        </Link>
      </dd>
      <dt>{words.drift}</dt>
      <dd>{common.machines(drifted.length)}</dd>
    </dl>
  );
}
