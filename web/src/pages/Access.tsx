import { Tabs } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import type { Call } from "../logic/code";
import { Page } from "../parts/Page";
import { people } from "../words/access";
import { access as words } from "../words/pages";
import { Roles } from "./access/Roles";
import { Tokens } from "./access/Tokens";
import { Users } from "./access/Users";

const route = getRouteApi("/access");
const TABS = ["users", "tokens", "roles"] as const;

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
      <Tabs
        value={tab}
        onChange={(value) => void navigate({ search: value === "tokens" ? {} : { tab: value ?? "" } })}
        keepMounted={false}
      >
        <Tabs.List>
          {TABS.map((one) => (
            <Tabs.Tab key={one} value={one}>
              {people.tabs[one]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <div className="tabbody">
          <Tabs.Panel value="users">
            <Users />
          </Tabs.Panel>
          <Tabs.Panel value="tokens">
            <Tokens />
          </Tabs.Panel>
          <Tabs.Panel value="roles">
            <Roles />
          </Tabs.Panel>
        </div>
      </Tabs>
    </Page>
  );
}
