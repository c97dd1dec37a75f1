/** The frame: signing in, the connection, code, colours; and every page for those who do not see it. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GROUP, machine, ORIGIN, PROFILE, Rig, SUBNET } from "./rig";

/** Nobody answers there: its deliveries wait. */
const WEBHOOK = `kind: Webhook\nname: alerts\nspec: {url: "http://10.77.0.9:1/", events: [machine.*, boot.*]}\n`;

const rig = new Rig();
beforeAll(async () => {
  await rig.start();
  rig.apply(
    SUBNET,
    rig.image(),
    PROFILE,
    GROUP,
    WEBHOOK,
    machine(1),
    machine(2, "n2", '{role: worker, rack: r1, site: "dc1"}'),
  );
  const power = rig.powerOn(1);
  await new Promise((resolve) => setTimeout(resolve, 6000));
  power.kill("SIGKILL");
});
afterAll(() => rig.stop());

test("a wrong token is refused in words, and a good one leads to the page that was asked for", async () => {
  const { page } = await rig.open("/machines?find=n2", { token: "wrong" });
  await page.getByText("this token is unknown, or has ended").waitFor();
  await page.getByLabel("Token", { exact: true }).fill(rig.token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("1 of 2 machines").waitFor();
});

test("a page that is not there says so", async () => {
  const { page } = await rig.open("/machines/nobody");
  await page.getByRole("alert").getByText("nobody").waitFor();
  expect((await rig.ask("GET", "/nothing")).status).toBe(404);
});

test("what can be clicked can be scripted: the request that a page shows does the same", async () => {
  const { page } = await rig.open("/machines?selector=site=dc1");
  await page.getByRole("button", { name: "As code" }).click();
  const curl = (await page.getByRole("region", { name: "curl: The machines" }).textContent()) ?? "";
  const answer = execFileSync("bash", ["-c", curl], {
    cwd: `${rig.folder}/data`,
    env: { ...process.env, TOKEN: rig.token, no_proxy: "*" },
    encoding: "utf8",
  });
  expect((JSON.parse(answer) as { items: { name: string }[] }).items.map((item) => item.name)).toEqual(["n2"]);
});

test("a lost connection is shown, and heals", async () => {
  const { page } = await rig.open("/machines");
  await page.getByRole("status").filter({ hasText: "Live" }).waitFor();
  await rig.stopDaemon();
  await page.getByText("Connection lost").waitFor();
  await page.getByText("The daemon does not answer").waitFor();
  await rig.startDaemon();
  await page.getByRole("status").filter({ hasText: "Live" }).waitFor({ timeout: 30_000 });
  rig.cli("machine", "hold", "n2", "--reason", "after the restart");
  await page.getByText("on hold").waitFor();
});

test("colours are chosen, and stay", async () => {
  const { page } = await rig.open("/", { colorScheme: "light" });
  await page.getByRole("button", { name: "Who is signed in" }).click();
  await page.getByRole("menuitem", { name: "dark" }).click();
  await page.reload();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  expect(await page.evaluate("document.documentElement.dataset.mantineColorScheme")).toBe("dark");
});

test("events are found by kind and by text, as they happen", async () => {
  const { page } = await rig.open("/events?kind=machine.held");
  await page.getByText("after the restart").waitFor();
  rig.cli("machine", "hold", "n1", "--reason", "<script>alert(1)</script>");
  await page.getByText("<script>alert(1)</script>").waitFor();
  await page.getByRole("textbox", { name: "Find" }).fill("nothing has this text");
  await page.getByText("No event is like that").waitFor();
});

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PAGES = [
  "/",
  "/machines",
  "/machines/n1",
  "/machines/n1?tab=boot",
  "/machines/n1?tab=timeline",
  "/machines/n1?tab=facts",
  "/machines/n1?tab=gets",
  "/machines/n1?tab=console",
  "/machines/n1?tab=source",
  "/inbox",
  "/boots",
  "/boots?show=ended",
  "/profiles",
  "/profiles/worker",
  "/profiles/worker?tab=revisions",
  "/profiles/worker?tab=use",
  "/groups",
  "/groups/workers",
  "/images",
  "/images/live",
  "/network",
  "/network/hall",
  "/network?tab=inspector",
  "/events",
  "/audit",
  "/access",
  "/network?tab=leases",
  "/network?tab=seen",
  "/network?tab=firmware",
  "/groups?machine=n1",
  "/groups/workers?tab=use",
  "/profiles/worker?beside=preview",
  "/profiles/worker?beside=preview&part=from",
  "/images/live?tab=use",
  "/access?tab=users",
  "/access?tab=roles",
  "/webhooks",
  "/webhooks/alerts",
  "/webhooks/alerts?tab=edit",
  "/system",
  "/system?tab=doctor",
  "/system?tab=tasks",
  "/system?tab=operations",
  "/start",
];

for (const colorScheme of ["light", "dark"] as const) {
  test(`no page has a violation that axe knows, ${colorScheme}`, { timeout: 180_000 }, async () => {
    const { page, problems } = await rig.open("/", { colorScheme });
    const found: string[] = [];
    for (const path of PAGES) {
      await page.goto(ORIGIN + path);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.waitForTimeout(700);
      await page.evaluate(AXE);
      const run = `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })`;
      const { violations } = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(run);
      found.push(
        ...violations.map(
          ({ id, nodes }) =>
            `${path}: ${id}: ${nodes
              .map((node) => node.html.slice(0, 160))
              .slice(0, 3)
              .join(" | ")}`,
        ),
      );
    }
    expect(found).toEqual([]);
    expect(problems).toEqual([]);
  });
}
