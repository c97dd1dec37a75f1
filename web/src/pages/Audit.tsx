import { Alert, Button, Drawer, Group, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { type AuditEntry, client, data } from "../api/client";
import { diff } from "../logic/diff";
import { Diff } from "../parts/Diff";
import { ObjectLink } from "../parts/EventList";
import { Page } from "../parts/Page";
import { Moment } from "../parts/Time";
import { Empty, ErrorBox, Waiting } from "../parts/Trouble";
import { common } from "../words/common";
import { audit as words } from "../words/pages";
import { shell } from "../words/shell";

const route = getRouteApi("/audit");

export function Audit() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [shown, setShown] = useState<AuditEntry>();
  const [filter] = useDebouncedValue(search, 300);
  const list = useInfiniteQuery({
    queryKey: ["audit", filter.actor ?? "", filter.object ?? ""],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => {
      const query: Record<string, string | number> = { limit: 200 };
      if (filter.actor) query.actor = filter.actor;
      if (filter.object) query.object = filter.object;
      if (pageParam !== undefined) query.cursor = pageParam;
      return data(client.GET("/api/v1/audit", { params: { query: query as never } }));
    },
    getNextPageParam: (page) => page.next ?? undefined,
  });
  const verify = useMutation({ mutationFn: () => data(client.GET("/api/v1/audit/verify")) });
  const set = (change: Partial<Record<"actor" | "object", string>>) =>
    void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const rows = list.data?.pages.flatMap((page) => page.items) ?? [];
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
      </Group>
      {list.isPending && <Waiting what={common.reading(words.reading)} />}
      {list.isError && <ErrorBox error={list.error} again={() => void list.refetch()} />}
      {list.isSuccess && rows.length === 0 && (
        <Empty title={search.actor || search.object ? words.noneFound : words.none} />
      )}
      {rows.length > 0 && (
        <div className="scroll" tabIndex={0} role="region" aria-label={words.table}>
          <table className="plain">
            <caption className="unseen">{words.table}</caption>
            <thead>
              <tr>
                {[words.time, words.actor, words.action, words.object, words.remote, words.before].map((title) => (
                  <th key={title} scope="col">
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.seq}>
                  <td>
                    <Moment at={row.at} />
                  </td>
                  <td>{row.actor}</td>
                  <td>
                    <code>{row.action}</code>
                  </td>
                  <td>
                    <ObjectLink object={row.object} />
                  </td>
                  <td className="mono">{row.remote ?? common.none}</td>
                  <td>
                    {(row.before != null || row.after != null) && (
                      <Button
                        size="compact-xs"
                        variant="default"
                        aria-label={words.show(`${row.action} ${row.object}`)}
                        onClick={() => setShown(row)}
                      >
                        {words.button}
                      </Button>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
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

const json = (value: unknown): string => (value == null ? "" : JSON.stringify(value, null, 2));
