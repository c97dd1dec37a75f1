import { useQueries, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import type { Webhook, WebhookStatus } from "../api/client";
import { webhookStatusQuery } from "../api/more";
import { listQuery } from "../api/queries";
import { useForbidden } from "../api/rights";
import { ActionButton } from "../parts/Actions";
import { Page } from "../parts/Page";
import { type PlainColumn, PlainTable } from "../parts/PlainTable";
import { Ago } from "../parts/Time";
import { Empty, Loaded } from "../parts/Trouble";
import { common } from "../words/common";
import { webhooks as words } from "../words/webhooks";
import { NEW } from "./Resources";

interface Row {
  webhook: Webhook;
  status: WebhookStatus | undefined;
}

const count = (n: number | undefined) => n?.toLocaleString("en") ?? "";

const COLUMNS: readonly PlainColumn<Row>[] = [
  {
    title: words.name,
    names: true,
    cell: ({ webhook: { name } }) => (
      <Link to="/webhooks/$name" params={{ name }}>
        {name}
      </Link>
    ),
  },
  {
    title: words.state,
    cell: ({ status }) =>
      status?.paused != null ? (
        <span className="tag tag-warn" title={status.paused}>
          {words.paused}
        </span>
      ) : (
        words.sending
      ),
  },
  { title: words.pending, cell: ({ status }) => count(status?.pending) },
  { title: words.delivered, cell: ({ status }) => count(status?.delivered) },
  {
    title: words.dead,
    cell: ({ webhook: { name }, status }) =>
      (status?.dead ?? 0) > 0 ? (
        <Link to="/webhooks/$name" params={{ name }} search={{ state: "dead" }} className="stage-failed">
          {count(status?.dead)}
        </Link>
      ) : (
        count(status?.dead)
      ),
  },
  {
    title: words.oldest,
    cell: ({ status }) => (status?.oldest_pending == null ? common.none : <Ago at={status.oldest_pending} bare />),
  },
  { title: words.events, cell: ({ webhook }) => <code className="wrap">{webhook.spec.events.join(", ")}</code> },
];

export function Webhooks() {
  const query = useQuery(listQuery<Webhook>("webhooks"));
  const navigate = useNavigate();
  const forbidden = useForbidden();
  const names = query.data?.map((one) => one.name) ?? [];
  const states = useQueries({ queries: names.map((name) => webhookStatusQuery(name)) });
  const status = new Map(names.map((name, index) => [name, states[index]?.data]));
  return (
    <Page
      title={words.title}
      aside={
        <ActionButton
          label={words.create}
          reason={forbidden("write", "Webhook")}
          onClick={() => void navigate({ to: "/webhooks/$name", params: { name: NEW } })}
        />
      }
      calls={[
        { what: "The webhooks", path: "webhooks", cli: "pilotlight get webhooks" },
        {
          what: "How one does",
          path: `webhooks/${names[0] ?? "NAME"}/status`,
          cli: `pilotlight webhook status ${names[0] ?? "NAME"}`,
        },
        {
          what: "Send again what was given up",
          method: "POST",
          path: `webhooks/${names[0] ?? "NAME"}/replay`,
          cli: `pilotlight webhook replay ${names[0] ?? "NAME"} --dead`,
        },
      ]}
    >
      <Loaded query={query} what={common.reading(words.reading)}>
        {(webhooks) =>
          webhooks.length === 0 ? (
            <Empty title={words.none}>{words.noneHint}</Empty>
          ) : (
            <PlainTable
              label={words.table}
              rows={webhooks.map((webhook) => ({ webhook, status: status.get(webhook.name) }))}
              columns={COLUMNS}
              id={({ webhook }) => webhook.name}
            />
          )
        }
      </Loaded>
    </Page>
  );
}
