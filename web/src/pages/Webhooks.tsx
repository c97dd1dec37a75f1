import { useQueries, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import type { Webhook, WebhookStatus } from "../api/client";
import { webhookStatusQuery } from "../api/more";
import { listQuery } from "../api/queries";
import { ActionButton, useRoleReason } from "../parts/Actions";
import { Page } from "../parts/Page";
import { Ago } from "../parts/Time";
import { Empty, Loaded } from "../parts/Trouble";
import { common } from "../words/common";
import { webhooks as words } from "../words/webhooks";
import { NEW } from "./Resources";

export function Webhooks() {
  const query = useQuery(listQuery<Webhook>("webhooks"));
  const navigate = useNavigate();
  const role = useRoleReason("admin");
  const names = query.data?.map((one) => one.name) ?? [];
  const states = useQueries({ queries: names.map((name) => webhookStatusQuery(name)) });
  const status = new Map(names.map((name, index) => [name, states[index]?.data]));
  return (
    <Page
      title={words.title}
      aside={
        <ActionButton
          label={words.create}
          reason={role}
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
            <div className="scroll" tabIndex={0} role="region" aria-label={words.table}>
              <table className="plain">
                <caption className="unseen">{words.table}</caption>
                <thead>
                  <tr>
                    {[
                      words.name,
                      words.state,
                      words.pending,
                      words.delivered,
                      words.dead,
                      words.oldest,
                      words.events,
                    ].map((title) => (
                      <th key={title} scope="col">
                        {title}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {webhooks.map((one) => (
                    <Row key={one.name} webhook={one} status={status.get(one.name)} />
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Loaded>
    </Page>
  );
}

function Row({ webhook, status }: { webhook: Webhook; status: WebhookStatus | undefined }) {
  const count = (n: number | undefined) => n?.toLocaleString("en") ?? "";
  return (
    <tr>
      <th scope="row">
        <Link to="/webhooks/$name" params={{ name: webhook.name }}>
          {webhook.name}
        </Link>
      </th>
      <td>
        {status?.paused != null ? (
          <span className="tag tag-warn" title={status.paused}>
            {words.paused}
          </span>
        ) : (
          words.sending
        )}
      </td>
      <td>{count(status?.pending)}</td>
      <td>{count(status?.delivered)}</td>
      <td>
        {(status?.dead ?? 0) > 0 ? (
          <Link
            to="/webhooks/$name"
            params={{ name: webhook.name }}
            search={{ state: "dead" }}
            className="stage-failed"
          >
            {count(status?.dead)}
          </Link>
        ) : (
          count(status?.dead)
        )}
      </td>
      <td>{status?.oldest_pending == null ? common.none : <Ago at={status.oldest_pending} />}</td>
      <td>
        <code className="wrap">{webhook.spec.events.join(", ")}</code>
      </td>
    </tr>
  );
}
