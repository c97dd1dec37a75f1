import { Button, Select, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useLocation, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense, useState } from "react";
import type { Group, Image, Plural, Resource } from "../api/client";
import { fleetQuery } from "../api/fleet";
import { listQuery, resourceQuery, revisionQuery, revisionsQuery } from "../api/queries";
import type { Call } from "../logic/code";
import { diff } from "../logic/diff";
import { documentText } from "../logic/documents";
import { TEMPLATES } from "../logic/templates";
import { Diff } from "../parts/Diff";
import { Page } from "../parts/Page";
import { PageTabs } from "../parts/PageTabs";
import { Theirs } from "../parts/Theirs";
import { Ago } from "../parts/Time";
import { Empty, Loaded, Waiting } from "../parts/Trouble";
import { common } from "../words/common";
import { editor as editorWords, resources as words } from "../words/pages";
import { images as imageWords, winners } from "../words/profiles";
import { webhooks as webhookWords } from "../words/webhooks";
import { forget, keep } from "../parts/editor/drafts";
import { Deliveries } from "./resource/Deliveries";
import { ImageUse } from "./resource/ImageUse";
import { MachinesOfGroup } from "./resource/Winners";
import { NEW } from "./Resources";

const Editor = lazy(() => import("../parts/editor/Editor").then((module) => ({ default: module.Editor })));
const TABS = ["edit", "revisions", "use"] as const;
type Tab = (typeof TABS)[number];

/** The kinds by the first part of their pages' path. */
const KINDS: Record<string, Plural> = {
  network: "subnets",
  groups: "groups",
  images: "images",
  profiles: "profiles",
  webhooks: "webhooks",
};

/** What the tab beside the editor is called, where a kind has one. */
const USE: Partial<Record<Plural, string>> = {
  profiles: words.tabs.use,
  groups: winners.tab,
  images: imageWords.files,
  webhooks: webhookWords.tabs.deliveries,
};

/** The tabs of a kind, the one that is shown first first. */
const tabsOf = (kind: Plural): readonly Tab[] =>
  kind === "webhooks" ? ["use", "edit", "revisions"] : TABS.filter((one) => one !== "use" || USE[kind] !== undefined);

/** One profile, group, image or subnet: its editor, its revisions, its use. */
export function ResourcePage() {
  const first = useLocation().pathname.split("/")[1];
  const kind = KINDS[first ?? ""] ?? "profiles";
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
  const tabs = tabsOf(kind);
  const tab = tabs.find((known) => known === search.tab) ?? tabs[0] ?? "edit";
  const path = `${kind}/${name}`;
  const bodies: Record<Tab, (resource: Resource) => ReactNode> = {
    edit: (resource) => (
      <Suspense fallback={<Waiting what={editorWords.loading} />}>
        <Edit kind={kind} resource={resource} />
      </Suspense>
    ),
    revisions: (resource) => <Revisions kind={kind} resource={resource} />,
    use: (resource) => <UseOf kind={kind} resource={resource} />,
  };
  return (
    <Page
      title={`${words.one[kind]} ${name}`}
      calls={[
        { what: "As it is declared", path, cli: `pilotlight get ${kind} ${name} -o yaml` },
        { what: "Its revisions", path: `${path}/revisions`, cli: `pilotlight revisions ${kind} ${name}` },
        ...more(kind, name),
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
          <PageTabs
            tabs={tabs.map((key) => ({
              key,
              title: key === "use" ? USE[kind] : words.tabs[key],
              body: () => bodies[key](resource),
            }))}
            open={tab}
            choose={(key) => void navigate({ to: ".", search: (key === tabs[0] ? {} : { tab: key }) as never })}
          />
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
        <Theirs
          revision={resource.revision}
          began={documentText(base)}
          theirs={documentText(resource)}
          take={() => {
            forget(draft);
            setDirty(false);
            begin(resource);
          }}
          goOn={() => setBase(resource)}
        />
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

/** What else is asked of a kind, as code. */
function more(kind: Plural, name: string): Call[] {
  if (kind === "groups") {
    const [path, cli] = [`groups/${name}/machines`, `pilotlight group machines ${name}`];
    return [{ what: "The machines that it takes, and who wins for each", path, cli }];
  }
  if (kind === "webhooks") {
    return [
      { what: "How it does", path: `webhooks/${name}/status`, cli: `pilotlight webhook status ${name}` },
      { what: "What it was told", path: `webhooks/${name}/deliveries`, cli: `pilotlight webhook deliveries ${name}` },
      {
        what: "Send again what was given up",
        method: "POST",
        path: `webhooks/${name}/replay`,
        cli: `pilotlight webhook replay ${name} --dead`,
      },
      {
        what: "Send a test event",
        method: "POST",
        path: `webhooks/${name}/test`,
        cli: `pilotlight webhook test ${name}`,
      },
    ];
  }
  if (kind === "profiles") {
    const body = { machine: "n1", profile: name, documents: [{ kind: "Profile", name, spec: "…" }] };
    const cli = `pilotlight render -f ${name}.yaml --machine n1`;
    return [{ what: "What a machine would get of a draft", method: "POST", path: "render", body, cli }];
  }
  return [];
}

function UseOf({ kind, resource }: { kind: Plural; resource: Resource }) {
  if (kind === "groups") return <MachinesOfGroup name={resource.name} />;
  if (kind === "images") return <ImageUse image={resource as Image} />;
  if (kind === "webhooks") return <Deliveries name={resource.name} />;
  return <Use name={resource.name} />;
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
