import { Alert, Button, Drawer, Group, SegmentedControl, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { client, data, type Delivery, type WebhookStatus } from "../../api/client";
import { deliveriesQuery, webhookStatusQuery } from "../../api/more";
import { ActionButton, useRoleReason } from "../../parts/Actions";
import { ObjectLink } from "../../parts/EventList";
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
  const role = useRoleReason("operator");
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
              ; {words.oldest.toLowerCase()} <Ago at={status.oldest_pending} />
            </>
          )}
        </Text>
        <Group gap="xs">
          <ActionButton label={words.test} reason={role} onClick={() => test.mutate()} />
          {status.dead > 0 && (
            <ActionButton label={words.replayDead(status.dead)} reason={role} onClick={() => replay.mutate()} />
          )}
          {status.paused != null && <ActionButton label={words.resume} reason={role} onClick={() => resume.mutate()} />}
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
  const role = useRoleReason("operator");
  const list = useQuery(deliveriesQuery(name, search.state));
  const [shown, setShown] = useState<Delivery>();
  const again = useMutation({
    mutationFn: (id: string) =>
      data(client.POST("/api/v1/webhooks/{name}/deliveries/{id}/replay", { params: { path: { name, id } } })),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["resources", "webhooks", name] }),
  });
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
            <div className="scroll" tabIndex={0} role="region" aria-label={words.tabs.deliveries}>
              <table className="plain">
                <caption className="unseen">{words.tabs.deliveries}</caption>
                <thead>
                  <tr>
                    {[words.due, words.event, words.object, words.state, words.tries, words.last, words.show].map(
                      (title) => (
                        <th key={title} scope="col">
                          {title}
                        </th>
                      ),
                    )}
                  </tr>
                </thead>
                <tbody>
                  {deliveries.map((one) => (
                    <tr key={one.id}>
                      <td>
                        <Moment at={one.created} />
                      </td>
                      <td>
                        <code>{one.event}</code>
                      </td>
                      <td>
                        <ObjectLink object={one.object} />
                      </td>
                      <td className="nowrap">
                        <span className={`delivery-${one.state}`}>{words.states[one.state]}</span>
                        {one.due != null && (
                          <div className="dim">
                            {words.next} <Moment at={one.due} />
                          </div>
                        )}
                      </td>
                      <td>{one.tries}</td>
                      <td className="wrap">{words.answer(one.attempts.at(-1)?.status, one.attempts.at(-1)?.error)}</td>
                      <td className="nowrap">
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
                          {one.state !== "pending" && role === undefined && (
                            <Button
                              size="compact-xs"
                              variant="default"
                              aria-label={words.replayOne(one.event, one.object)}
                              disabled={again.isPending}
                              onClick={() => again.mutate(one.id)}
                            >
                              {words.replay}
                            </Button>
                          )}
                        </Group>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
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
        {shown !== undefined && <Tries delivery={shown} />}
      </Drawer>
    </>
  );
}

function Tries({ delivery }: { delivery: Delivery }) {
  return (
    <table className="plain">
      <caption className="unseen">{words.attempts}</caption>
      <thead>
        <tr>
          {[words.at, words.took, words.status, words.body].map((title) => (
            <th key={title} scope="col">
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {delivery.attempts.map((one) => (
          <tr key={one.at}>
            <td>
              <Moment at={one.at} />
            </td>
            <td className="nowrap">{one.millis} ms</td>
            <td className="wrap">{words.answer(one.status, one.error)}</td>
            <td className="mono wrap">{one.answer}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
