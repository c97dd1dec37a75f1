import { getRouteApi } from "@tanstack/react-router";
import type { Call } from "../logic/code";
import { Page } from "../parts/Page";
import { PageTabs } from "../parts/PageTabs";
import { people } from "../words/access";
import { access as words } from "../words/pages";
import { Roles } from "./access/Roles";
import { Tokens } from "./access/Tokens";
import { Users } from "./access/Users";

const route = getRouteApi("/access");
const TABS = ["users", "tokens", "roles"] as const;
const BODIES = { users: () => <Users />, tokens: () => <Tokens />, roles: () => <Roles /> };

const CALLS: Record<(typeof TABS)[number], readonly Call[]> = {
  users: [
    { what: "The users", path: "users", cli: "pilotlight user list" },
    {
      what: "Make one",
      method: "POST",
      path: "users",
      body: { name: "alice", password: "…", role: "viewer" },
      cli: "pilotlight user create alice --role viewer",
    },
    {
      what: "Change what one may do",
      method: "PUT",
      path: "users/alice",
      body: { role: "editor", disabled: false },
      cli: "pilotlight user set alice --role editor",
    },
    {
      what: "Another password",
      method: "PUT",
      path: "users/alice/password",
      body: { password: "…" },
      cli: "pilotlight user passwd alice",
    },
    { what: "Delete one", method: "DELETE", path: "users/alice", cli: "pilotlight user delete alice" },
  ],
  tokens: [
    { what: "The tokens", path: "tokens", cli: "pilotlight token list" },
    {
      what: "Make one",
      method: "POST",
      path: "tokens",
      body: { name: "ci", role: "viewer" },
      cli: "pilotlight token create ci --role viewer",
    },
    { what: "End one", method: "DELETE", path: "tokens/ci", cli: "pilotlight token delete ci" },
  ],
  roles: [
    { what: "The roles", path: "roles", cli: "pilotlight get roles" },
    {
      what: "Write one",
      method: "PUT",
      path: "roles/rack-team",
      body: { spec: { rules: [{ verbs: ["get", "hold"], kinds: ["Machine"], selector: "rack=r1" }] } },
      cli: "pilotlight apply -f role.yaml",
    },
    { what: "What one may do oneself", path: "me/rights", cli: "pilotlight auth rights" },
  ],
};

export function Access() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const tab = TABS.find((known) => known === search.tab) ?? "tokens";
  return (
    <Page title={words.title} calls={CALLS[tab]}>
      <PageTabs
        tabs={TABS.map((key) => ({ key, title: people.tabs[key], body: BODIES[key] }))}
        open={tab}
        choose={(key) => void navigate({ search: key === "tokens" ? {} : { tab: key } })}
      />
    </Page>
  );
}
