/**
 * Every page, light and dark, on a desktop and on a phone: to be looked at. `web/screenshots` runs it. It fails where a page is wider
 * than its window, which no one sees in a picture.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GROUP, machine, ORIGIN, PROFILE, Rig, SERVER, SUBNET } from "./rig";

const OUT = process.env.SCREENSHOTS ?? "../.cache/screenshots";
const PAGES: Record<string, string> = {
  overview: "/",
  machines: "/machines",
  "machines-selector": "/machines?selector=rack=r1&sort=-stage",
  "machines-none": "/machines?find=nothing-is-called-that",
  machine: "/machines/n1",
  "machine-held": "/machines/n3",
  "machine-boot": "/machines/n1?tab=boot",
  "machine-facts": "/machines/n1?tab=facts",
  "machine-gets": "/machines/n1?tab=gets",
  "machine-timeline": "/machines/n1?tab=timeline",
  "machine-console": "/machines/n1?tab=console",
  "machine-source": "/machines/n1?tab=source",
  "machine-new": "/machines/n60",
  "machine-new-boot": "/machines/n60?tab=boot",
  "machine-new-facts": "/machines/n60?tab=facts",
  "machine-new-timeline": "/machines/n60?tab=timeline",
  "machine-new-console": "/machines/n60?tab=console",
  "machine-unknown": "/machines/nobody",
  inbox: "/inbox",
  boots: "/boots",
  "boots-ended": "/boots?show=ended",
  profiles: "/profiles",
  profile: "/profiles/worker",
  "profile-revisions": "/profiles/worker?tab=revisions",
  "profile-use": "/profiles/worker?tab=use",
  "profile-preview": "/profiles/worker?beside=preview",
  "profile-preview-from": "/profiles/worker?beside=preview&part=from",
  "profile-new": "/profiles/+new",
  groups: "/groups",
  "groups-winner": "/groups?machine=n1",
  group: "/groups/workers",
  "group-machines": "/groups/workers?tab=use",
  images: "/images",
  image: "/images/live",
  "image-files": "/images/live?tab=use",
  network: "/network",
  subnet: "/network/hall",
  inspector: "/network?tab=inspector",
  leases: "/network?tab=leases",
  seen: "/network?tab=seen",
  firmware: "/network?tab=firmware",
  users: "/access?tab=users",
  roles: "/access?tab=roles",
  tokens: "/access",
  webhooks: "/webhooks",
  webhook: "/webhooks/alerts",
  "webhook-edit": "/webhooks/alerts?tab=edit",
  system: "/system",
  doctor: "/system?tab=doctor",
  tasks: "/system?tab=tasks",
  operations: "/system?tab=operations",
  events: "/events",
  "events-none": "/events?find=nothing-has-this-text",
  audit: "/audit",
  start: "/start",
  "no-page": "/machines/n1/nothing",
};

/** Pages of a daemon that nothing was told yet: each says what to do next. */
const EMPTY: Record<string, string> = Object.fromEntries(
  [
    ["overview", "/"],
    ["machines", "/machines"],
    ["boots", "/boots"],
    ["boots-ended", "/boots?show=ended"],
    ["profiles", "/profiles"],
    ["groups", "/groups"],
    ["images", "/images"],
    ["network", "/network"],
    ["leases", "/network?tab=leases"],
    ["seen", "/network?tab=seen"],
    ["firmware", "/network?tab=firmware"],
    ["users", "/access?tab=users"],
    ["roles", "/access?tab=roles"],
    ["webhooks", "/webhooks"],
    ["operations", "/system?tab=operations"],
    ["doctor", "/system?tab=doctor"],
    ["audit", "/audit"],
    ["start", "/start"],
  ].map(([name, path]) => [`empty-${name}`, path ?? ""]),
);

const press = (page: Page, name: string | RegExp) => page.getByRole("button", { name }).first().click();
const paste = async (page: Page, change: (text: string) => string): Promise<void> => {
  const editor = page.getByRole("textbox", { name: "Documents as YAML" });
  await editor.click();
  await page.keyboard.press("ControlOrMeta+a");
  await editor.evaluate((element, pasted) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", pasted);
    element.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, change(PROFILE));
  await page.waitForTimeout(1500);
};

/** What is seen only after something was done: where, and what. */
const STATES: Record<string, [string, (page: Page) => Promise<void>]> = {
  palette: ["/", (page) => page.keyboard.press("/")],
  "palette-found": [
    "/",
    async (page) => {
      await page.keyboard.press("/");
      await page.keyboard.type("n12");
    },
  ],
  account: ["/", (page) => press(page, "Who is signed in")],
  "as-code": ["/machines", (page) => press(page, "As code")],
  "machine-provision": ["/machines/n1", (page) => press(page, "Provision")],
  "machine-hold": ["/machines/n1", (page) => press(page, "Hold")],
  "machines-chosen": ["/machines", (page) => page.getByRole("checkbox").first().click()],
  "profile-plan": ["/profiles/worker", (page) => paste(page, (text) => text.replace("ttyS0", "ttyS1"))],
  "profile-mistake": ["/profiles/worker", (page) => paste(page, (text) => text.replace("mode: 0644", "mode: 'rw'"))],
  "user-create": ["/access?tab=users", (page) => press(page, "New user")],
  "token-create": ["/access", (page) => press(page, "New token")],
  "role-edit": ["/access?tab=roles", (page) => press(page, /rack-team/)],
  "packet-explained": [
    "/network?tab=inspector",
    async (page) => {
      await page.getByLabel("Packet as hex").fill(DISCOVER);
      await press(page, /would be answered/i);
      await page.getByRole("heading", { name: "Answer", exact: true }).waitFor();
    },
  ],
  "doctor-looked": [
    "/system?tab=doctor",
    async (page) => {
      await press(page, /Look/);
      await page.getByRole("region", { name: "What was found" }).waitFor();
    },
  ],
};

/** A DHCPDISCOVER of the hall's first machine. */
const DISCOVER = `010106001122334400000000${"00000000".repeat(4)}525401770001${"00".repeat(10)}${"00".repeat(192)}63825363350101ff`;

/** What the pages of configuration have to show. */
const MORE = [
  `kind: Group\nname: everything\nspec: {profile: worker, priority: -1}\n`,
  `kind: Group\nname: workers-r1\nspec: {match: {labels: {role: worker, rack: r1}}, profile: worker, variables: {zone: a}}\n`,
  `kind: Webhook\nname: alerts\nspec: {url: "http://${SERVER}:1/", events: [machine.*, boot.failed]}\n`,
  `kind: Role\nname: rack-team\nspec: {description: looks after rack r1, rules: [{verbs: [get, hold, release], kinds: [Machine], selector: rack=r1}]}\n`,
];

const rig = new Rig();
beforeAll(async () => {
  mkdirSync(OUT, { recursive: true });
  await rig.start();
});
afterAll(() => rig.stop());

/** What lies over the page: the window is the picture. */
const OVER = new Set(["palette", "palette-found", "account", "as-code", "machine-provision", "machine-hold"]);
["machines-chosen", "user-create", "token-create", "role-edit"].forEach((name) => OVER.add(name));

/** Some of the pages only, by a pattern for their names. */
const ONLY = new RegExp(process.env.PAGES ?? "");
const LOOKS = (["light", "dark"] as const).flatMap((colorScheme) =>
  (["desktop", "phone"] as const).map((device) => ({ colorScheme, device })),
);
type Look = (typeof LOOKS)[number];
const WINDOWS = { desktop: { width: 1360, height: 850 }, phone: { width: 360, height: 740 } };

async function take({ colorScheme, device }: Look, pages: typeof PAGES, states: typeof STATES = {}): Promise<void> {
  const { page, context, problems } = await rig.open("/", { viewport: WINDOWS[device], colorScheme, token: null });
  const wide: string[] = [];
  const picture = async (name: string) => {
    // All of it, if it is longer than the window; what stands fixed in the window stays where it is.
    await page.screenshot({ path: join(OUT, `${device}-${colorScheme}-${name}.png`), fullPage: !OVER.has(name) });
    const over = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
    if (over > 0) wide.push(`${name}: ${over} px`);
  };
  await page.getByLabel("Token", { exact: true }).waitFor();
  await picture("sign-in");
  await page.evaluate((token) => sessionStorage.setItem("pilotlight.token", token), rig.token);
  const all = {
    ...Object.fromEntries(Object.entries(pages).map(([name, path]) => [name, [path] as const])),
    ...states,
  };
  for (const [name, [path, act]] of Object.entries(all).filter(([name]) => ONLY.test(name))) {
    await page.goto(ORIGIN + path);
    await page.getByRole("heading", { level: 1 }).or(page.locator(".empty")).first().waitFor();
    await page.waitForTimeout(/^profile|start/.test(name) ? 1800 : 900);
    if (act !== undefined) {
      await act(page);
      await page.waitForTimeout(700);
    }
    await picture(name);
  }
  await page.evaluate("localStorage.clear()");
  await context.close();
  expect(wide).toEqual([]);
  expect(problems).toEqual([]);
}

for (const look of LOOKS)
  test(`an empty daemon, ${look.device}, ${look.colorScheme}`, { timeout: 600_000 }, () => take(look, EMPTY));

test("the hall is filled", { timeout: 180_000 }, async () => {
  const fleet = Array.from({ length: 60 }, (_, n) => machine(n + 1));
  rig.apply(SUBNET, rig.image(), PROFILE, GROUP, ...fleet, ...MORE);
  await rig.ask(
    "POST",
    "/api/v1/users",
    JSON.stringify({ name: "alice", password: "a long sentence", role: "operator" }),
  );
  rig.apply(PROFILE.replace("console=ttyS0", "console=ttyS0, quiet"));
  const booted = rig.powerOn(40, { kernelStart: 0.5, spread: 2 });
  await new Promise((resolve) => booted.once("exit", resolve));
  rig.cli("machine", "hold", "n3", "--reason", "the switch is replaced");
  rig.apply(PROFILE.replace("console=ttyS0", "console=ttyS0, quiet, panic=10"));
  // Some that boot while the pictures are taken.
  rig.powerOn(12, { kernelStart: 600, spread: 6 });
  await new Promise((resolve) => setTimeout(resolve, 9000));
});

for (const look of LOOKS)
  test(`the pages, ${look.device}, ${look.colorScheme}`, { timeout: 1_800_000 }, () => take(look, PAGES, STATES));
