/** The pages and their paths. The daemon knows the first part of each: server/src/http/ui.rs. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { NotFound, Shell } from "./shell/Shell";
import { Waiting } from "./parts/Trouble";
import { common } from "./words/common";

/** What may stand behind `?` of these pages; anything else is dropped. */
const texts =
  <K extends string>(...keys: K[]) =>
  (search: Record<string, unknown>): Partial<Record<K, string>> => {
    const kept: Partial<Record<K, string>> = {};
    for (const key of keys) {
      const value = search[key];
      if (typeof value === "string" && value !== "") kept[key] = value;
      else if (typeof value === "number" || typeof value === "boolean") kept[key] = String(value);
    }
    return kept;
  };

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });
const parent = () => root;

const overview = createRoute({
  getParentRoute: parent,
  path: "/",
  component: lazyRouteComponent(() => import("./pages/Overview"), "Overview"),
});
export const machines = createRoute({
  getParentRoute: parent,
  path: "/machines",
  validateSearch: texts("find", "selector", "sort", "columns"),
  component: lazyRouteComponent(() => import("./pages/Machines"), "Machines"),
});
export const machine = createRoute({
  getParentRoute: parent,
  path: "/machines/$name",
  validateSearch: texts("tab", "boot", "part", "kind", "source", "at", "by", "act"),
  component: lazyRouteComponent(() => import("./pages/Machine"), "MachinePage"),
});
const inbox = createRoute({
  getParentRoute: parent,
  path: "/inbox",
  validateSearch: texts("state"),
  component: lazyRouteComponent(() => import("./pages/Inbox"), "InboxPage"),
});
export const boots = createRoute({
  getParentRoute: parent,
  path: "/boots",
  validateSearch: texts("show", "find"),
  component: lazyRouteComponent(() => import("./pages/Boots"), "Boots"),
});
const lists = (["profiles", "groups", "images"] as const).map((kind) =>
  createRoute({
    getParentRoute: parent,
    path: `/${kind}` as const,
    validateSearch: texts("machine"),
    component: lazyRouteComponent(
      () => import("./pages/Resources"),
      kind === "profiles" ? "Profiles" : kind === "groups" ? "Groups" : "Images",
    ),
  }),
);
const network = createRoute({
  getParentRoute: parent,
  path: "/network",
  validateSearch: texts("tab", "find", "subnet", "state"),
  component: lazyRouteComponent(() => import("./pages/Network"), "Network"),
});
const resources = (["profiles", "groups", "images", "network", "webhooks"] as const).map((kind) =>
  createRoute({
    getParentRoute: parent,
    path: `/${kind}/$name` as const,
    validateSearch: texts("tab", "revision", "state", "machine", "beside", "part"),
    component: lazyRouteComponent(() => import("./pages/Resource"), "ResourcePage"),
  }),
);
const events = createRoute({
  getParentRoute: parent,
  path: "/events",
  validateSearch: texts("find", "kind", "object"),
  component: lazyRouteComponent(() => import("./pages/Events"), "Events"),
});
const audit = createRoute({
  getParentRoute: parent,
  path: "/audit",
  validateSearch: texts("actor", "object", "row", "find", "since", "until"),
  component: lazyRouteComponent(() => import("./pages/Audit"), "Audit"),
});
const access = createRoute({
  getParentRoute: parent,
  path: "/access",
  validateSearch: texts("tab"),
  component: lazyRouteComponent(() => import("./pages/Access"), "Access"),
});
const start = createRoute({
  getParentRoute: parent,
  path: "/start",
  component: lazyRouteComponent(() => import("./pages/Start"), "Start"),
});

const webhooks = createRoute({
  getParentRoute: parent,
  path: "/webhooks",
  component: lazyRouteComponent(() => import("./pages/Webhooks"), "Webhooks"),
});
const system = createRoute({
  getParentRoute: parent,
  path: "/system",
  validateSearch: texts("tab"),
  component: lazyRouteComponent(() => import("./pages/System"), "SystemPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([
    overview,
    machines,
    machine,
    inbox,
    boots,
    ...lists,
    network,
    ...resources,
    events,
    audit,
    access,
    webhooks,
    system,
    start,
  ]),
  defaultPendingComponent: () => <Waiting what={common.reading("the page")} />,
  // Filters are texts: `?find=12` is not a number, and nothing is quoted.
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (search) => {
    const set = Object.entries(search).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string" && entry[1] !== "",
    );
    return set.length === 0
      ? ""
      : `?${new URLSearchParams(set).toString().replaceAll("%3D", "=").replaceAll("%2C", ",")}`;
  },
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
