/** Every page, light and dark, on a desktop and on a phone: to be looked at. `web/screenshots` runs it. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import { GROUP, machine, ORIGIN, PROFILE, Rig, SERVER, SUBNET } from "./rig";

const OUT = process.env.SCREENSHOTS ?? "../.cache/screenshots";
const PAGES: Record<string, string> = {
  overview: "/",
  machines: "/machines",
  machine: "/machines/n1",
  "machine-boot": "/machines/n1?tab=boot",
  "machine-facts": "/machines/n1?tab=facts",
  "machine-gets": "/machines/n1?tab=gets",
  "machine-timeline": "/machines/n1?tab=timeline",
  "machine-source": "/machines/n1?tab=source",
  inbox: "/inbox",
  boots: "/boots",
  "boots-ended": "/boots?show=ended",
  profiles: "/profiles",
  profile: "/profiles/worker",
  "profile-revisions": "/profiles/worker?tab=revisions",
  groups: "/groups",
  images: "/images",
  network: "/network",
  inspector: "/network?tab=inspector",
  leases: "/network?tab=leases",
  seen: "/network?tab=seen",
  firmware: "/network?tab=firmware",
  "profile-draft": "/profiles/worker?beside=preview",
  "profile-use": "/profiles/worker?tab=use",
  "group-machines": "/groups/workers?tab=use",
  "groups-winner": "/groups?machine=n1",
  "image-files": "/images/live?tab=use",
  users: "/access?tab=users",
  roles: "/access?tab=roles",
  webhooks: "/webhooks",
  webhook: "/webhooks/alerts",
  system: "/system",
  doctor: "/system?tab=doctor",
  tasks: "/system?tab=tasks",
  operations: "/system?tab=operations",
  events: "/events",
  audit: "/audit",
  access: "/access",
  start: "/start",
};

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
afterAll(() => rig.stop());

/** Some of the pages only, by a pattern for their names. */
const ONLY = new RegExp(process.env.PAGES ?? "");

for (const colorScheme of ["light", "dark"] as const) {
  for (const [device, viewport] of [
    ["desktop", { width: 1360, height: 850 }],
    ["phone", { width: 360, height: 740 }],
  ] as const) {
    test(`${device}, ${colorScheme}`, { timeout: 180_000 }, async () => {
      const { page, context } = await rig.open("/", { viewport, colorScheme, token: null });
      await page.getByLabel("Token", { exact: true }).waitFor();
      await page.screenshot({ path: join(OUT, `${device}-${colorScheme}-sign-in.png`) });
      await page.evaluate((token) => sessionStorage.setItem("pilotlight.token", token), rig.token);
      for (const [name, path] of Object.entries(PAGES).filter(([name]) => ONLY.test(name))) {
        await page.goto(ORIGIN + path);
        await page.getByRole("heading", { level: 1 }).waitFor();
        await page.waitForTimeout(/^profile|start/.test(name) ? 1800 : 900);
        await page.screenshot({ path: join(OUT, `${device}-${colorScheme}-${name}.png`) });
      }
      await context.close();
    });
  }
}
