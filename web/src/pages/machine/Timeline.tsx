import { Alert, Button, Group, Select, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, getRouteApi } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import type { Event, Machine } from "../../api/client";
import { consoleQuery, machineEventsQuery } from "../../api/queries";
import { merged, type Moment as OneMoment } from "../../logic/moments";
import { utc } from "../../logic/time";
import { Moment } from "../../parts/Time";
import { Empty, Loaded } from "../../parts/Trouble";
import { common } from "../../words/common";
import { machine as words } from "../../words/machines";
import { timeline as more } from "../../words/operations";

const route = getRouteApi("/machines/$name");
/** So many are drawn at once. */
const STEP = 200;

/** What happened to the machine, what was asked of it, and what it said in its newest boot. */
export function Timeline({ machine }: { machine: Machine }) {
  const events = useQuery(machineEventsQuery(machine.name));
  const search = route.useSearch();
  const boot = search.boot ?? machine.boot?.id;
  const lines = useQuery({ ...consoleQuery(boot ?? ""), enabled: boot !== undefined });
  return (
    <Loaded query={events} what={common.reading(words.tabs.timeline)}>
      {(happened: Event[]) => {
        const all = merged(happened, lines.data ?? []);
        return all.length === 0 ? <Empty title={words.timeline.none} /> : <Moments name={machine.name} all={all} />;
      }}
    </Loaded>
  );
}

function Moments({ name, all }: { name: string; all: readonly OneMoment[] }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [drawn, setDrawn] = useState(STEP);
  const { part = "", kind, source, at } = search;
  const set = (change: Partial<Record<"part" | "kind" | "source" | "at", string>>) =>
    void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const wanted = part.trim().toLowerCase();
  const shown = all.filter(
    (moment) =>
      (kind === undefined || moment.kind === kind) &&
      (source === undefined || moment.source === source) &&
      `${moment.kind} ${moment.text} ${moment.by ?? ""}`.toLowerCase().includes(wanted),
  );
  const linked = at === undefined ? -1 : shown.findIndex((moment) => moment.id === at);
  const most = Math.max(drawn, linked + 20);
  const kinds = [...new Set(all.map((moment) => moment.kind))].sort();
  const sources = [...new Set(all.map((moment) => moment.source))].sort();
  return (
    <>
      <Group align="flex-end" gap="sm" mb="sm">
        <TextInput
          label={words.timeline.filter}
          placeholder={words.timeline.filterHint}
          size="xs"
          w={{ base: "100%", sm: 240 }}
          value={part}
          onChange={(event) => set({ part: event.currentTarget.value })}
        />
        <Select
          label={more.source}
          placeholder={more.anySource}
          size="xs"
          w={{ base: "100%", sm: 150 }}
          clearable
          value={source ?? null}
          data={sources.map((value) => ({ value, label: more.sources[value] ?? value }))}
          onChange={(value) => set({ source: value ?? "" })}
        />
        <Select
          label={more.kind}
          placeholder={more.anyKind}
          size="xs"
          w={{ base: "100%", sm: 190 }}
          clearable
          searchable
          value={kind ?? null}
          data={kinds}
          onChange={(value) => set({ kind: value ?? "" })}
        />
        <Text size="sm" className="dim" role="status" mb={4}>
          {more.shown(shown.length, all.length)}
        </Text>
      </Group>
      {at !== undefined && linked < 0 && (
        <Alert color="yellow" mb="sm">
          {more.gone}{" "}
          <Link to="/machines/$name" params={{ name }} search={{ tab: "timeline", at }}>
            {more.showAll}
          </Link>
        </Alert>
      )}
      {shown.length === 0 ? (
        <Text size="sm">{words.timeline.noneFound}</Text>
      ) : (
        <ol className="moments" aria-label={more.table}>
          {shown.slice(0, most).map((moment) => (
            <Line key={moment.id} name={name} moment={moment} linked={moment.id === at} />
          ))}
        </ol>
      )}
      {shown.length > most && (
        <Button size="xs" variant="default" mt="sm" onClick={() => setDrawn(most + STEP)}>
          {more.more}
        </Button>
      )}
    </>
  );
}

function Line({ name, moment, linked }: { name: string; moment: OneMoment; linked: boolean }) {
  const own = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (linked) own.current?.scrollIntoView({ block: "center" });
  }, [linked]);
  return (
    <li ref={own} className={linked ? "moment linked" : "moment"} aria-current={linked ? "true" : undefined}>
      <Link
        to="/machines/$name"
        params={{ name }}
        search={(before) => ({ ...before, tab: "timeline", at: moment.id })}
        aria-label={more.link(utc(moment.at))}
        className="when"
      >
        <Moment at={moment.at} />
      </Link>
      <code className={moment.severe ? "stage-failed" : undefined}>{moment.kind}</code>
      <span className={moment.source === "console" ? "mono wrap" : "wrap"}>
        {moment.text}
        {moment.by !== undefined && moment.source === "people" && <span className="dim"> ({moment.by})</span>}
      </span>
    </li>
  );
}
