import { Alert, Button, Drawer, Group, SegmentedControl, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { type Attempt, client, data, type Delivery, type WebhookStatus } from "../../api/client";
import { deliveriesQuery, webhookStatusQuery } from "../../api/more";
import { useForbidden } from "../../api/rights";
import { ActionButton } from "../../parts/Actions";
import { ObjectLink } from "../../parts/EventList";
import { type PlainColumn, PlainTable } from "../../parts/PlainTable";
import { Ago, Moment } from "../../parts/Time";
import { Empty, ErrorBox, Loaded, Waiting } from "../../parts/Trouble";
import { common } from "../../words/common";
import { shell } from "../../words/shell";
import { webhooks as words } from "../../words/webhooks";

const STATES = ["pending", "delivered", "dead"] as const;

/** What a webhook was told, what came of it, and the buttons that tell it again. */
export function Deliveries({ name }: { name: string }) {
  const status = useQuery(webhookStatusQuery(name));
  return (
    <Loaded query={status} what={common.reading(words.readingStatus)}>
      {(now) => (
        <>
          <State status={now} />
          <Told name={name} />
        </>
      )}
    </Loaded>
  );
}

function State({ status }: { status: WebhookStatus }) {
  const { name } = status;
  const queries = useQueryClient();
  const forbidden = useForbidden();
  const read = () => void queries.invalidateQueries({ queryKey: ["resources", "webhooks", name] });
  const params = { params: { path: { name } } };
  const test = useMutation({ mutationFn: () => data(client.POST("/api/v1/webhooks/{name}/test", params)) });
  const replay = useMutation({
    mutationFn: () => data(client.POST("/api/v1/webhooks/{name}/replay", params)),
    onSuccess: read,
  });
  const resume = useMutation({
    mutationFn: () => data(client.POST("/api/v1/webhooks/{name}/resume", params)),
    onSuccess: read,
  });
  const taken = test.data?.status != null && test.data.status >= 200 && test.data.status < 300;
  return (
    <>
      {status.paused != null && (
        <Alert color="yellow" mb="sm" role="alert" title={words.paused} className="wrap">
          {status.paused}
        </Alert>
      )}
      <Group gap="lg" mb="sm">
        <Text size="sm">
          <b>{status.pending.toLocaleString("en")}</b> {words.states.pending},{" "}
          <b>{status.delivered.toLocaleString("en")}</b> {words.states.delivered},{" "}
          <b className={status.dead > 0 ? "stage-failed" : undefined}>{status.dead.toLocaleString("en")}</b>{" "}
          {words.states.dead}
          {status.oldest_pending != null && (
            <>
              ; {words.oldest.toLowerCase()} <Ago at={status.oldest_pending} bare />
            </>
          )}
        </Text>
        <Group gap="xs">
          <ActionButton label={words.test} reason={forbidden("deliver", "Webhook")} onClick={() => test.mutate()} />
          {status.dead > 0 && (
            <ActionButton
              label={words.replayDead(status.dead)}
              reason={forbidden("deliver", "Webhook")}
              onClick={() => replay.mutate()}
            />
          )}
          {status.paused != null && (
            <ActionButton
              label={words.resume}
              reason={forbidden("deliver", "Webhook")}
              onClick={() => resume.mutate()}
            />
          )}
        </Group>
      </Group>
      {test.isPending && <Waiting what={words.testing} />}
      {replay.isPending && <Waiting what={words.replaying} />}
      {resume.isPending && <Waiting what={words.resuming} />}
      {[test, replay, resume].map((one, index) => one.isError && <ErrorBox key={index} error={one.error} />)}
      {replay.data !== undefined && (
        <Alert color="green" mb="sm" role="status" title={words.replayed(replay.data.replayed)} />
      )}
      {test.data !== undefined && (
        <Alert
          color={taken ? "green" : "red"}
          mb="sm"
          role="status"
          className="wrap"
          title={taken ? words.testGood(test.data.status ?? 0, test.data.millis) : words.testBad}
        >
          {!taken && words.answer(test.data.status, test.data.error)} {test.data.answer}
        </Alert>
      )}
    </>
  );
}

function Told({ name }: { name: string }) {
  const search: { state?: string } = useSearch({ strict: false });
  const navigate = useNavigate();
  const queries = useQueryClient();
  const forbidden = useForbidden();
  const list = useQuery(deliveriesQuery(name, search.state));
  const [shown, setShown] = useState<Delivery>();
  const again = useMutation({
    mutationFn: (id: string) =>
      data(client.POST("/api/v1/webhooks/{name}/deliveries/{id}/replay", { params: { path: { name, id } } })),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["resources", "webhooks", name] }),
  });
  const columns: readonly PlainColumn<Delivery>[] = [
    { title: words.due, cell: (one) => <Moment at={one.created} /> },
    { title: words.event, cell: (one) => <code>{one.event}</code> },
    { title: words.object, cell: (one) => <ObjectLink object={one.object} /> },
    {
      title: words.state,
      className: "nowrap",
      cell: (one) => (
        <>
          <span className={`delivery-${one.state}`}>{words.states[one.state]}</span>
          {one.due != null && (
            <div className="dim">
              {words.next} <Moment at={one.due} />
            </div>
          )}
        </>
      ),
    },
    { title: words.tries, cell: (one) => one.tries },
    {
      title: words.last,
      className: "wrap",
      cell: (one) => words.answer(one.attempts.at(-1)?.status, one.attempts.at(-1)?.error),
    },
    {
      title: words.act,
      className: "nowrap",
      cell: (one) => (
        <Group gap={6} wrap="nowrap">
          {one.attempts.length > 0 && (
            <Button
              size="compact-xs"
              variant="default"
              aria-label={words.showTries(one.event, one.object)}
              onClick={() => setShown(one)}
            >
              {words.show}
            </Button>
          )}
          {one.state !== "pending" && (
            <ActionButton
              small
              label={words.replay}
              name={words.replayOne(one.event, one.object)}
              reason={forbidden("deliver", "Webhook")}
              busy={again.isPending}
              onClick={() => again.mutate(one.id)}
            />
          )}
        </Group>
      ),
    },
  ];
  return (
    <>
      <SegmentedControl
        size="xs"
        mb="sm"
        value={search.state ?? ""}
        onChange={(state) =>
          void navigate({ to: ".", search: ((before: object) => ({ ...before, state: state || undefined })) as never })
        }
        data={[
          { value: "", label: words.anyState },
          ...STATES.map((value) => ({ value, label: words.states[value] ?? value })),
        ]}
      />
      {again.isError && <ErrorBox error={again.error} />}
      <Loaded query={list} what={common.reading(words.readingDeliveries)}>
        {(deliveries) =>
          deliveries.length === 0 ? (
            search.state === undefined ? (
              <Empty title={words.noDeliveries}>{words.noDeliveriesHint}</Empty>
            ) : (
              <Empty title={words.noneLike} />
            )
          ) : (
            <PlainTable label={words.tabs.deliveries} rows={deliveries} columns={columns} id={(one) => one.id} />
          )
        }
      </Loaded>
      <Drawer
        opened={shown !== undefined}
        onClose={() => setShown(undefined)}
        position="right"
        size="lg"
        title={shown === undefined ? "" : `${shown.event} ${shown.object}`}
        closeButtonProps={{ "aria-label": shell.close }}
      >
        {shown !== undefined && (
          <PlainTable label={words.attempts} rows={shown.attempts} columns={TRIES} id={(one) => one.at} />
        )}
      </Drawer>
    </>
  );
}

const TRIES: readonly PlainColumn<Attempt>[] = [
  { title: words.at, cell: (one) => <Moment at={one.at} /> },
  { title: words.took, className: "nowrap", cell: (one) => `${one.millis} ms` },
  { title: words.status, className: "wrap", cell: (one) => words.answer(one.status, one.error) },
  { title: words.body, className: "mono wrap", cell: (one) => one.answer },
];
