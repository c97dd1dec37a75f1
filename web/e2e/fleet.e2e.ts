/** Machines: found, looked at, acted on, watched while they boot. */
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GROUP, machine, PROFILE, Rig, SUBNET } from "./rig";

const rig = new Rig();
const problems: string[][] = [];
beforeAll(async () => {
  await rig.start();
  rig.apply(SUBNET, rig.image(), PROFILE, GROUP, ...Array.from({ length: 20 }, (_, n) => machine(n + 1)));
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

const shown = async (page: Page) =>
  (await page
    .getByRole("status")
    .filter({ hasText: /machines?$/ })
    .first()
    .textContent()) ?? "";
const choose = async (page: Page, action: string) => {
  await page.getByRole("button", { name: "Act on them" }).click();
  await page.getByRole("menuitem", { name: action }).click();
};

test("somebody finds a machine by its MAC and arms it again, by keyboard only", async () => {
  const page = await open("/events");
  await page.getByRole("heading", { name: "Events" }).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("52:54:01:77:00:07");
  await page.getByRole("option", { name: /n7/ }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "n7" }).waitFor();
  await page.getByRole("button", { name: "Provision" }).focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Provision 1 machine" });
  await dialog.getByText("1 machine would be changed.").waitFor();
  await dialog.getByRole("button", { name: "Provision 1 machine" }).focus();
  await page.keyboard.press("Enter");
  await dialog.getByText("1 machine changed.").waitFor();
  await page.keyboard.press("Escape");
  expect(rig.cli("events")).toContain("n7 is armed for worker@1");
});

test("a selector is completed, kept in the URL, and says what is wrong with it", async () => {
  const page = await open("/machines");
  const selector = page.getByRole("combobox", { name: "Selector" });
  await selector.fill("ra");
  await page.getByRole("option", { name: "rack=", exact: true }).click();
  await selector.fill("rack=r");
  await page.getByRole("option", { name: "rack=r2" }).click();
  await page.getByText("5 of 20 machines").waitFor();
  expect(page.url()).toContain("selector=rack=r2");
  await page.reload();
  await page.getByText("5 of 20 machines").waitFor();
  await selector.fill("rack = = r2");
  await page.getByText("is no selector term").waitFor();
  await selector.fill("");
  await page.getByRole("textbox", { name: "Find" }).fill("flt00019");
  await page.getByText("1 of 20 machines").waitFor();
  expect(await page.getByRole("row").count()).toBe(2);
  await page.getByRole("textbox", { name: "Find" }).fill("nobody is called so");
  await page.getByText("No machine is like that").waitFor();
  await page.getByRole("link", { name: "Show all machines" }).click();
  await page.getByText("20 machines", { exact: true }).waitFor();
  expect(await shown(page)).toBe("20 machines");
});

test("a rack is held with a reason, and everybody sees it", async () => {
  const page = await open("/machines?selector=rack=r1");
  await page.getByText("5 of 20 machines").waitFor();
  await page.getByLabel("Select all rows").click();
  await choose(page, "Hold");
  const dialog = page.getByRole("dialog");
  const go = dialog.getByRole("button", { name: "Hold 5 machines" });
  await dialog.getByText("5 machines would be changed.").waitFor();
  expect(await go.isDisabled()).toBe(true);
  await dialog.getByLabel("Why").fill("<b>the switch</b>");
  await go.click();
  await dialog.getByText("5 machines changed.").waitFor();
  await dialog.getByRole("button", { name: "Close" }).last().click();
  expect(await page.getByText("on hold").count()).toBe(5);
  await page.getByRole("link", { name: "n4", exact: true }).click();
  // What somebody wrote is text, whatever it looks like.
  await page.getByText("On hold by admin: <b>the switch</b>").waitFor();
  await page.getByRole("button", { name: "Release" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Release 1 machine" }).click();
  await page.getByRole("dialog").getByText("1 machine changed.").waitFor();
});

test("what could put out many machines asks for their number", async () => {
  const page = await open("/machines?selector=rack=r3");
  await page.getByText("5 of 20 machines").waitFor();
  await page.getByLabel("Select all rows").click();
  await choose(page, "Provision");
  const dialog = page.getByRole("dialog");
  const go = dialog.getByRole("button", { name: "Provision 5 machines" });
  await dialog.getByLabel("Type 5 to go on").fill("4");
  expect(await go.isDisabled()).toBe(true);
  await dialog.getByLabel("Type 5 to go on").fill("5");
  await go.click();
  await dialog.getByText("5 machines changed.").waitFor();
});

test("what a machine's stage does not allow is off, and says why", async () => {
  const page = await open("/machines/n9");
  const accept = page.getByRole("button", { name: "Accept" });
  await accept.waitFor();
  expect(await accept.getAttribute("aria-disabled")).toBe("true");
  await accept.hover();
  await page.getByRole("tooltip").getByText("Only a machine that is discovered or retired is accepted").waitFor();
});

test("who may only look is told so when they act", async () => {
  const token = rig.cli("token", "create", "looker", "--role", "viewer").trim().split(/\s+/).pop() ?? "";
  const page = await open("/machines/n10", token);
  const hold = page.getByRole("button", { name: "Hold", disabled: true });
  await hold.hover();
  await page.getByRole("tooltip").getByText("takes the role operator").waitFor();
});

test("boots are watched live to the end", async () => {
  const page = await open("/boots");
  await page.getByText("No machine is booting").waitFor();
  const power = rig.powerOn(2, { kernelStart: 4 });
  const board = page.getByRole("table", { name: "Machines that are booting, by phase" });
  await board.getByRole("link", { name: "n1", exact: true }).waitFor();
  await board.getByRole("img", { name: /^DHCP/ }).first().waitFor();
  // n1's row goes when it is done, without a reload.
  await board.getByRole("link", { name: "n1", exact: true }).waitFor({ state: "detached", timeout: 45_000 });
  await page.getByText("Ended").click();
  await page.getByRole("table", { name: "Newest boots that have ended" }).getByText("active").first().waitFor();
  await page.getByRole("link", { name: "n1", exact: true }).first().click();
  await page
    .getByRole("list", { name: "Phases of the boot" })
    .getByRole("listitem", { name: /^Root fs/ })
    .waitFor();
  await page.getByRole("tab", { name: "Facts" }).click();
  await page.getByText("Wick 310").first().waitFor();
  await page.getByRole("tab", { name: "What it gets" }).click();
  await page.getByRole("region", { name: "Script" }).getByText("#!ipxe").waitFor();
  await page.getByRole("tab", { name: "Timeline" }).click();
  await page.getByLabel("Filter").fill("machine.active");
  await page.getByText("n1 runs worker@1").waitFor();
  expect(page.url()).toContain("part=machine.active");
  power.kill("SIGKILL");
});

test("the rows that are shown can be taken along", async () => {
  const page = await open("/machines?selector=rack=r2");
  await page.getByText("5 of 20 machines").waitFor();
  await page.getByRole("button", { name: "Export" }).click();
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("menuitem", { name: "CSV" }).click(),
  ]);
  const text = readFileSync(await file.path(), "utf8");
  expect(text.trim().split("\r\n").length).toBe(6);
  expect(text).toContain("52:54:01:77:00:01");
});

test("columns are chosen, and stay in the URL", async () => {
  const page = await open("/machines");
  await page.getByText("20 machines", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Columns" }).click();
  await page.getByRole("menuitemcheckbox", { name: "Serial" }).click();
  await page.getByRole("columnheader", { name: "Serial" }).waitFor();
  await page.reload();
  await page.getByText("FLT00001").waitFor();
});
