import type { shell } from "../words/shell";

export interface PageLink {
  name: keyof typeof shell.pages;
  to: string;
  section: keyof typeof shell.sections;
}

/** The pages of the navigation, in its order. */
export const PAGES: readonly PageLink[] = [
  { name: "overview", to: "/", section: "fleet" },
  { name: "machines", to: "/machines", section: "fleet" },
  { name: "inbox", to: "/inbox", section: "fleet" },
  { name: "boots", to: "/boots", section: "fleet" },
  { name: "profiles", to: "/profiles", section: "declared" },
  { name: "groups", to: "/groups", section: "declared" },
  { name: "images", to: "/images", section: "declared" },
  { name: "network", to: "/network", section: "declared" },
  { name: "start", to: "/start", section: "declared" },
  { name: "events", to: "/events", section: "record" },
  { name: "audit", to: "/audit", section: "record" },
  { name: "access", to: "/access", section: "record" },
  { name: "webhooks", to: "/webhooks", section: "record" },
  { name: "system", to: "/system", section: "record" },
];
