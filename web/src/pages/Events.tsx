import { Button, Group, Select, Text, TextInput } from "@mantine/core";
import { useDebouncedValue, useMediaQuery } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { Link, getRouteApi } from "@tanstack/react-router";
import type { Event } from "../api/client";
import { eventsQuery } from "../api/queries";
import { download } from "../logic/table";
import { ObjectLink } from "../parts/EventList";
import { Page } from "../parts/Page";
import { Moment } from "../parts/Time";
import { Empty, Loaded } from "../parts/Trouble";
import { type Column, VirtualTable } from "../parts/VirtualTable";
import { common } from "../words/common";
import { events as words } from "../words/pages";

const route = getRouteApi("/events");

const COLUMNS: readonly Column<Event>[] = [
  { key: "time", title: words.time, width: "160px", cell: (event) => <Moment at={event.at} /> },
  { key: "kind", title: words.kind, width: "160px", cell: (event) => <code>{event.kind}</code> },
  {
    key: "object",
    title: words.object,
    width: "minmax(140px, 1fr)",
    cell: (event) => <ObjectLink object={event.object} />,
  },
  {
    key: "what",
    title: words.what,
    width: "minmax(260px, 4fr)",
    cell: (event) => <span title={event.message}>{event.message}</span>,
  },
  {
    key: "by",
    title: words.by,
    width: "minmax(90px, 1fr)",
    cell: (event) => <span className="dim">{event.actor}</span>,
  },
];

/** On a phone what happened comes first, and the rest is scrolled to. */
const NARROW: readonly Column<Event>[] = ["time", "what", "object", "kind", "by"]
  .flatMap((key) => COLUMNS.filter((column) => column.key === key))
  .map((column) => (column.key === "time" ? { ...column, width: "80px" } : column));

export function Events() {
  const narrow = useMediaQuery("(max-width: 48em)");
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const set = (change: Partial<Record<"find" | "kind" | "object", string>>) =>
    void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const [object] = useDebouncedValue(search.object?.trim(), 300);
  const query = useQuery(eventsQuery(object === undefined || object === "" ? undefined : object));
  const wanted = (search.find ?? "").trim().toLowerCase();
  const kinds = [...new Set((query.data ?? []).map((event) => event.kind))].sort();
  const path = object ? `events?object=${encodeURIComponent(object)}` : "events";
  return (
    <Page
      title={words.title}
      calls={[
        { what: "The newest events", path, cli: object ? `pilotlight events --object ${object}` : "pilotlight events" },
        { what: "As they happen (Accept: text/event-stream)", path, cli: "pilotlight events --follow" },
      ]}
    >
      <Group align="flex-end" gap="sm">
        <TextInput
          size="xs"
          w={{ base: "100%", sm: 240 }}
          label={words.find}
          placeholder={words.findHint}
          value={search.find ?? ""}
          onChange={(event) => set({ find: event.currentTarget.value })}
        />
        <Select
          size="xs"
          w={{ base: "100%", sm: 200 }}
          label={words.kind}
          placeholder={words.anyKind}
          clearable
          searchable
          value={search.kind ?? null}
          data={kinds}
          onChange={(kind) => set({ kind: kind ?? "" })}
        />
        <TextInput
          size="xs"
          w={{ base: "100%", sm: 200 }}
          label={words.object}
          placeholder={words.objectHint}
          value={search.object ?? ""}
          onChange={(event) => set({ object: event.currentTarget.value })}
        />
      </Group>
      <Loaded query={query} what={common.reading(words.reading)}>
        {(all) => {
          const shown = all.filter(
            (event) =>
              (search.kind === undefined || event.kind === search.kind) &&
              (wanted === "" || `${event.object} ${event.message} ${event.actor}`.toLowerCase().includes(wanted)),
          );
          if (all.length === 0) return <Empty title={words.none} />;
          if (shown.length === 0)
            return (
              <Empty title={words.noneFound}>
                {words.noneFoundHint} <Link to="/events">{words.title}</Link>
              </Empty>
            );
          return (
            <>
              <Group justify="space-between">
                <Text size="sm" className="dim" role="status">
                  {words.shown(shown.length, all.length)}
                </Text>
                <Button
                  size="xs"
                  variant="default"
                  onClick={() => download("events.json", "application/json", `${JSON.stringify(shown, null, 2)}\n`)}
                >
                  {words.export}
                </Button>
              </Group>
              <VirtualTable
                label={words.table}
                rows={shown}
                columns={narrow ? NARROW : COLUMNS}
                id={(event) => String(event.seq)}
              />
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}
