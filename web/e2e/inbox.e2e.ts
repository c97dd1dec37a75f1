/** The inbox: who waits and why, taken in from there; what is missing, and what is held. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GROUP, machine, ORIGIN, PROFILE, Rig, SUBNET } from "./rig";

const rig = new Rig();
const problems: string[][] = [];
const LOOK = "kind: Profile\nname: look\nspec: {image: live, boot: discovery}\n";
beforeAll(async () => {
  await rig.start();
  rig.apply(`${SUBNET}  unknown: discover\n`, rig.image(), PROFILE, LOOK, GROUP);
});
afterAll(async () => {
  await rig.stop();
  expect(problems.flat()).toEqual([]);
});

async function open(path: string, token?: string): Promise<Page> {
  const opened = await rig.open(path, token === undefined ? {} : { token });
  problems.push(opened.problems);
  return opened.page;
}

const table = (page: Page) => page.getByRole("table", { name: "What waits for somebody" });

test("an unknown machine comes to the inbox with what it is, is accepted there, and boots its profile", async () => {
  const page = await open("/inbox");
  await page.getByText("Nothing waits for you").waitFor();
  await page.getByText("pilotlight expected import FILE.csv", { exact: false }).waitFor();
  const power = rig.powerOn(1);
  const row = table(page).getByRole("row").filter({ hasText: "m-525401770001" });
  await row.getByText("there is no rule that could accept it").waitFor({ timeout: 40_000 });
  await row.getByText(/FLT00001/).waitFor();
  await page.getByRole("button", { name: "Discovered 1" }).click();
  await row.getByRole("button", { name: "Accept …" }).click();
  const dialog = page.getByRole("dialog", { name: "Accept m-525401770001" });
  await dialog.getByText("no group gives it a profile").waitFor();
  await dialog.getByLabel("Name").fill("n1");
  await dialog.getByLabel("Labels").fill("role");
  await dialog.getByText("key=value is expected").waitFor();
  expect(await dialog.getByRole("button", { name: "Accept", exact: true }).isDisabled()).toBe(true);
  await dialog.getByLabel("Labels").fill("role=worker");
  await dialog.getByRole("button", { name: "Accept", exact: true }).click();
  await dialog.waitFor({ state: "hidden" });
  await page.getByText("Nothing is in this part").waitFor();
  power.kill("SIGKILL");
  const again = rig.powerOn(1);
  await page.goto(`${ORIGIN}/machines?selector=stage=active`);
  await page.getByRole("link", { name: "n1", exact: true }).waitFor({ timeout: 40_000 });
  again.kill("SIGKILL");
});

test("what is missing and what is held is told with its reason, and released from there by who may", async () => {
  rig.apply(
    "kind: ExpectedMachine\nname: n90\nlabels: {role: worker}\nspec: {serial: FLT00090, rack: r9, unit: 4}\n",
    machine(7),
  );
  rig.cli("machine", "hold", "n7", "--reason", "its <b>fan</b>", "--for", "2h");
  const viewer = rig.cli("token", "create", "looks", "--role", "viewer").trim().split(/\s+/).pop() ?? "";
  const looking = await open("/inbox?state=held", viewer);
  const held = (page: Page) => table(page).getByRole("row").filter({ hasText: "n7" });
  await held(looking).getByText("its <b>fan</b>").waitFor();
  await held(looking).getByText("until").waitFor();
  await held(looking).getByLabel("Select n7").click();
  await looking
    .getByText(/operator/)
    .first()
    .waitFor();
  expect(await looking.getByRole("button", { name: "Act on them" }).count()).toBe(0);

  const page = await open("/inbox");
  await page.getByRole("button", { name: "Missing 1" }).click();
  const missing = table(page).getByRole("row").filter({ hasText: "n90" });
  await missing.getByText("it is expected, and was not seen").waitFor();
  await missing.getByText("r9 u4").waitFor();
  await page.getByRole("button", { name: "On hold 1" }).click();
  await held(page).getByLabel("Select n7").click();
  await page.getByRole("button", { name: "Act on them" }).click();
  await page.getByRole("menuitem", { name: "Release" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Release 1 machine" }).click();
  await page.getByRole("dialog").getByText("1 machine changed.").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
  await page.getByText("Nothing is in this part").waitFor();
  expect(rig.cli("events")).toContain("n7 is not on hold any more");
});
