import { Alert, Button, Drawer, Group, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { type AuditEntry, client, data } from "../api/client";
import { diff } from "../logic/diff";
import { csv, download } from "../logic/table";
import { Diff } from "../parts/Diff";
import { ObjectLink } from "../parts/EventList";
import { Page } from "../parts/Page";
import { type PlainColumn, PlainTable } from "../parts/PlainTable";
import { Moment } from "../parts/Time";
import { Empty, ErrorBox, Waiting } from "../parts/Trouble";
import { common } from "../words/common";
import { auditMore as more } from "../words/access";
import { audit as words } from "../words/pages";
import { shell } from "../words/shell";

const route = getRouteApi("/audit");

export function Audit() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [shown, setShown] = useState<AuditEntry>();
  const [filter] = useDebouncedValue(search, 300);
  const since = timeOf(filter.since);
  const until = timeOf(filter.until);
  const list = useInfiniteQuery({
    queryKey: ["audit", filter.actor ?? "", filter.object ?? "", since ?? "", until ?? ""],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => {
      const query: Record<string, string | number> = { limit: 200 };
      if (filter.actor) query.actor = filter.actor;
      if (filter.object) query.object = filter.object;
      if (since !== undefined) query.since = since;
      if (until !== undefined) query.until = until;
      if (pageParam !== undefined) query.cursor = pageParam;
      return data(client.GET("/api/v1/audit", { params: { query: query as never } }));
    },
    getNextPageParam: (page) => page.next ?? undefined,
  });
  const verify = useMutation({ mutationFn: () => data(client.GET("/api/v1/audit/verify")) });
  const [read, setRead] = useState(0);
  const save = useMutation({
    mutationFn: async (kind: "csv" | "json") => {
      // All that is meant, not only what is shown.
      let page = await list.fetchNextPage({ cancelRefetch: false });
      while (page.hasNextPage) {
        setRead(page.data?.pages.reduce((sum, { items }) => sum + items.length, 0) ?? 0);
        page = await list.fetchNextPage();
      }
      const all = (page.data?.pages ?? []).flatMap(({ items }) => items).filter(like);
      if (kind === "json") download("audit.json", "application/json", `${JSON.stringify(all, null, 2)}\n`);
      else
        download(
          "audit.csv",
          "text/csv",
          csv(
            CSV,
            all.map((row) => CSV.map((key) => text(row[key]))),
          ),
        );
    },
  });
  const wanted = (search.find ?? "").trim().toLowerCase();
  const like = (row: AuditEntry) => wanted === "" || JSON.stringify(row).toLowerCase().includes(wanted);
  const set = (change: Partial<Record<"actor" | "object" | "find" | "since" | "until", string>>) =>
    void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const all = list.data?.pages.flatMap((page) => page.items) ?? [];
  const rows = all.filter(like);
  const columns: readonly PlainColumn<AuditEntry>[] = [
    { title: words.time, cell: (row) => <Moment at={row.at} /> },
    { title: words.actor, cell: (row) => row.actor },
    { title: words.action, cell: (row) => <code>{row.action}</code> },
    { title: words.object, cell: (row) => <ObjectLink object={row.object} /> },
    { title: words.remote, className: "mono", cell: (row) => row.remote ?? common.none },
    {
      title: words.before,
      cell: (row) =>
        (row.before != null || row.after != null) && (
          <Button
            size="compact-xs"
            variant="default"
            aria-label={words.show(`${row.action} ${row.object}`)}
            onClick={() => setShown(row)}
          >
            {words.button}
          </Button>
        ),
    },
  ];
  return (
    <Page
      title={words.title}
      aside={
        <Button size="xs" variant="default" disabled={verify.isPending} onClick={() => verify.mutate()}>
          {words.verify}
        </Button>
      }
      calls={[
        { what: "Who changed what", path: "audit", cli: "pilotlight audit export" },
        { what: "Whether the log is whole", path: "audit/verify", cli: "pilotlight audit verify" },
      ]}
    >
      {verify.isPending && <Waiting what={words.verifying} />}
      {verify.isError && <ErrorBox error={verify.error} />}
      {verify.data !== undefined && (
        <Alert
          color={verify.data.broken == null ? "green" : "red"}
          role="status"
          className="wrap"
          title={verify.data.broken == null ? words.whole(verify.data.rows) : words.broken(verify.data.broken.why)}
        >
          {words.head}: <code>{verify.data.head}</code>
        </Alert>
      )}
      <Group align="flex-end" gap="sm">
        <TextInput
          size="xs"
          w={{ base: "100%", sm: 220 }}
          label={words.actor}
          value={search.actor ?? ""}
          onChange={(event) => set({ actor: event.currentTarget.value })}
        />
        <TextInput
          size="xs"
          w={{ base: "100%", sm: 220 }}
          label={words.object}
          value={search.object ?? ""}
          onChange={(event) => set({ object: event.currentTarget.value })}
        />
        <TextInput
          size="xs"
          w={{ base: "100%", sm: 200 }}
          label={more.find}
          placeholder={more.findHint}
          value={search.find ?? ""}
          onChange={(event) => set({ find: event.currentTarget.value })}
        />
        {(["since", "until"] as const).map((key) => (
          <TextInput
            key={key}
            size="xs"
            w={{ base: "100%", sm: 180 }}
            label={more[key]}
            placeholder={more.timeHint}
            value={search[key] ?? ""}
            error={search[key] !== undefined && timeOf(search[key]) === undefined ? more.badTime : undefined}
            onChange={(event) => set({ [key]: event.currentTarget.value })}
          />
        ))}
      </Group>
      {rows.length > 0 && (
        <Group justify="space-between">
          <Text size="sm" className="dim" role="status">
            {more.shown(rows.length, all.length)}
          </Text>
          <Group gap="xs">
            <Button size="xs" variant="default" disabled={save.isPending} onClick={() => save.mutate("csv")}>
              {more.exportCsv}
            </Button>
            <Button size="xs" variant="default" disabled={save.isPending} onClick={() => save.mutate("json")}>
              {more.exportJson}
            </Button>
          </Group>
        </Group>
      )}
      {save.isPending && <Waiting what={more.exporting(read)} />}
      {save.isError && <ErrorBox error={save.error} />}
      {list.isPending && <Waiting what={common.reading(words.reading)} />}
      {list.isError && <ErrorBox error={list.error} again={() => void list.refetch()} />}
      {list.isSuccess && rows.length === 0 && (
        <Empty title={Object.values(search).some(Boolean) ? words.noneFound : words.none} />
      )}
      {rows.length > 0 && <PlainTable label={words.table} rows={rows} columns={columns} id={(row) => row.seq} />}
      {list.hasNextPage && (
        <Button
          size="xs"
          variant="default"
          disabled={list.isFetchingNextPage}
          onClick={() => void list.fetchNextPage()}
        >
          {words.more}
        </Button>
      )}
      <Drawer
        opened={shown !== undefined}
        onClose={() => setShown(undefined)}
        position="right"
        size="lg"
        title={shown === undefined ? "" : `${shown.action} ${shown.object}`}
        closeButtonProps={{ "aria-label": shell.close }}
      >
        {shown !== undefined && (
          <>
            <Text size="sm">
              {shown.request != null && (
                <>
                  {words.request} <code>{shown.request}</code>
                </>
              )}
            </Text>
            {shown.before == null && <Text size="sm">{words.created}</Text>}
            <Diff label={words.before} lines={diff(json(shown.before), json(shown.after))} />
          </>
        )}
      </Drawer>
    </Page>
  );
}

const CSV = ["seq", "at", "actor", "remote", "action", "object", "request"] as const;

const text = (value: unknown): string => (typeof value === "string" || typeof value === "number" ? String(value) : "");

/** A time as the API takes it, from a date or a time as people write it; in the reader's own zone. */
function timeOf(written: string | undefined): string | undefined {
  if (!written || !/^\d{4}-\d\d-\d\d/.test(written)) return undefined;
  const at = new Date(written.length === 10 ? `${written}T00:00:00` : written.replace(" ", "T"));
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString();
}

const json = (value: unknown): string => (value == null ? "" : JSON.stringify(value, null, 2));
