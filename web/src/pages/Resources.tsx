import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Group, Image, Plural, Profile, Resource } from "../api/client";
import { fleetQuery } from "../api/fleet";
import { listQuery } from "../api/queries";
import type { Call } from "../logic/code";
import type { Row } from "../logic/row";
import { useForbidden } from "../api/rights";
import { ActionButton } from "../parts/Actions";
import { Page } from "../parts/Page";
import { Ago } from "../parts/Time";
import { Empty, Loaded } from "../parts/Trouble";
import { type Column, VirtualTable } from "../parts/VirtualTable";
import { common } from "../words/common";
import { resources as words } from "../words/pages";
import { images as imageWords } from "../words/profiles";
import { Running } from "./resource/Running";
import { WinnerForMachine } from "./resource/Winners";
import { machines } from "../words/machines";

/** The name of what is not there yet: DNS labels have no such first character, so no resource is called that. */
export const NEW = "+new";

const updated = <T extends Resource>(): Column<T>[] => [
  { key: "revision", title: words.revision, width: "90px", cell: (one) => one.revision },
  { key: "updated", title: words.updated, width: "110px", cell: (one) => <Ago at={one.updated} /> },
];

function useRows(): readonly Row[] {
  return useQuery(fleetQuery(useQueryClient())).data?.rows ?? [];
}

function List<T extends Resource>({
  kind,
  columns,
  calls = [],
  children,
}: {
  kind: Plural;
  columns: readonly Column<T>[];
  calls?: readonly Call[];
  children?: ReactNode;
}) {
  const forbidden = useForbidden();
  const query = useQuery(listQuery<T>(kind));
  const navigate = useNavigate();
  const create = () =>
    void navigate({ to: kind === "subnets" ? "/network/$name" : `/${kind}/$name`, params: { name: NEW } });
  return (
    <Page
      title={words.title[kind]}
      aside={<ActionButton label={words.create[kind]} reason={forbidden("write", words.one[kind])} onClick={create} />}
      calls={[
        { what: words.title[kind], path: kind, cli: `pilotlight get ${kind}` },
        {
          what: "Apply files",
          method: "POST",
          path: "apply",
          body: [{ kind: words.one[kind], name: "example", spec: {} }],
          cli: "pilotlight apply -f site/",
        },
        ...calls,
      ]}
    >
      {children}
      <Loaded query={query} what={common.reading(words.reading[kind])}>
        {(items) =>
          items.length === 0 ? (
            <Empty title={words.none[kind]}>{words.noneHint[kind]}</Empty>
          ) : (
            <VirtualTable label={words.title[kind]} rows={items} columns={columns} id={(one) => one.name} />
          )
        }
      </Loaded>
    </Page>
  );
}

export function Profiles() {
  const rows = useRows();
  const groups = useQuery(listQuery<Group>("groups")).data ?? [];
  const use = new Map<string, { machines: number; drifted: number }>();
  for (const row of rows) {
    if (row.profile === undefined) continue;
    const counted = use.get(row.profile) ?? { machines: 0, drifted: 0 };
    use.set(row.profile, { machines: counted.machines + 1, drifted: counted.drifted + Number(row.drift) });
  }
  const columns: Column<Profile>[] = [
    {
      key: "name",
      title: words.name,
      width: "minmax(140px, 1.5fr)",
      cell: (one) => (
        <Link to="/profiles/$name" params={{ name: one.name }}>
          {one.name}
        </Link>
      ),
    },
    {
      key: "used",
      title: words.usedBy,
      width: "110px",
      cell: (one) => use.get(one.name)?.machines.toLocaleString("en") ?? <span className="dim">{words.unused}</span>,
    },
    {
      key: "drift",
      title: words.drift,
      width: "100px",
      cell: (one) => {
        const drifted = use.get(one.name)?.drifted ?? 0;
        return drifted > 0 ? (
          <Link to="/machines" search={{ selector: "drift=true", find: one.name }}>
            {drifted.toLocaleString("en")}
          </Link>
        ) : (
          <span className="dim">{common.none}</span>
        );
      },
    },
    {
      key: "groups",
      title: words.groups,
      width: "minmax(140px, 1.5fr)",
      cell: (one) =>
        groups
          .filter((group) => group.spec.profile === one.name)
          .map((group) => (
            <Link key={group.name} className="spaced" to="/groups/$name" params={{ name: group.name }}>
              {group.name}
            </Link>
          )),
    },
    {
      key: "image",
      title: words.image,
      width: "minmax(120px, 1fr)",
      cell: (one) =>
        one.spec.image != null && (
          <Link to="/images/$name" params={{ name: one.spec.image }}>
            {one.spec.image}
          </Link>
        ),
    },
    { key: "boot", title: words.boot, width: "100px", cell: (one) => one.spec.boot },
    { key: "layers", title: words.layers, width: "minmax(100px, 1fr)", cell: (one) => one.spec.layers?.join(", ") },
    ...updated<Profile>(),
  ];
  return <List kind="profiles" columns={columns} />;
}

export function Groups() {
  const columns: Column<Group>[] = [
    {
      key: "name",
      title: words.name,
      width: "minmax(140px, 1fr)",
      cell: (one) => (
        <Link to="/groups/$name" params={{ name: one.name }}>
          {one.name}
        </Link>
      ),
    },
    { key: "match", title: words.selects, width: "minmax(200px, 2fr)", cell: (one) => selects(one) },
    {
      key: "profile",
      title: words.profile,
      width: "minmax(120px, 1fr)",
      cell: (one) => (
        <Link to="/profiles/$name" params={{ name: one.spec.profile }}>
          {one.spec.profile}
        </Link>
      ),
    },
    { key: "priority", title: words.priority, width: "90px", cell: (one) => one.spec.priority ?? 0 },
    {
      key: "variables",
      title: words.variables,
      width: "minmax(140px, 1.5fr)",
      cell: (one) => <span className="dim">{Object.keys(one.spec.variables ?? {}).join(", ")}</span>,
    },
    ...updated<Group>(),
  ];
  const { machine } = getRouteApi("/groups").useSearch();
  const one = machine ?? "n1";
  const calls = [
    { what: "Who wins for a machine", path: `machines/${one}/groups`, cli: `pilotlight group of ${one}` },
    { what: "The machines of a group", path: "groups/NAME/machines", cli: "pilotlight group machines NAME" },
  ];
  return (
    <List kind="groups" columns={columns} calls={calls}>
      <WinnerForMachine />
    </List>
  );
}

function selects(group: Group): React.ReactNode {
  const labels = Object.entries(group.spec.match.labels ?? {}).map(([key, value]) => `${key}=${value}`);
  const macs = group.spec.match.macs ?? [];
  if (labels.length + macs.length === 0) return words.everyMachine;
  return (
    <>
      {labels.length > 0 && (
        <Link to="/machines" search={{ selector: labels.join(",") }}>
          {labels.join(", ")}
        </Link>
      )}
      {macs.length > 0 && (
        <span className="mono"> {macs.length > 3 ? machines.dialog.more(macs.length) : macs.join(", ")}</span>
      )}
    </>
  );
}

export function Images() {
  const profiles = useQuery(listQuery<Profile>("profiles")).data ?? [];
  const rows = useRows();
  const columns: Column<Image>[] = [
    {
      key: "name",
      title: words.name,
      width: "minmax(140px, 1.2fr)",
      cell: (one) => (
        <Link to="/images/$name" params={{ name: one.name }}>
          {one.name}
        </Link>
      ),
    },
    { key: "os", title: words.os, width: "140px", cell: (one) => one.spec.os },
    { key: "version", title: words.version, width: "minmax(120px, 1fr)", cell: (one) => one.spec.version },
    { key: "arch", title: words.arch, width: "90px", cell: (one) => one.spec.arch },
    {
      key: "profiles",
      title: words.title.profiles,
      width: "minmax(140px, 1.5fr)",
      cell: (one) =>
        profiles
          .filter((profile) => profile.spec.image === one.name)
          .map((profile) => (
            <Link key={profile.name} className="spaced" to="/profiles/$name" params={{ name: profile.name }}>
              {profile.name}
            </Link>
          )),
    },
    {
      key: "machines",
      title: words.usedBy,
      width: "100px",
      cell: (one) => {
        const own = new Set(profiles.filter((profile) => profile.spec.image === one.name).map(({ name }) => name));
        const count = rows.filter((row) => row.profile !== undefined && own.has(row.profile)).length;
        return count === 0 ? <span className="dim">{words.unused}</span> : count.toLocaleString("en");
      },
    },
    {
      key: "files",
      title: imageWords.files,
      width: "120px",
      cell: (one) => (
        <Link to="/images/$name" params={{ name: one.name }} search={{ tab: "use" }} title={imageWords.verifiedHint}>
          {1 + one.spec.initrd.length + Number(one.spec.rootfs != null)} {imageWords.verified}
        </Link>
      ),
    },
    ...updated<Image>(),
  ];
  const calls = [{ what: "What is being fetched", path: "operations", cli: "pilotlight operation list" }];
  return (
    <List kind="images" columns={columns} calls={calls}>
      <Running />
    </List>
  );
}
