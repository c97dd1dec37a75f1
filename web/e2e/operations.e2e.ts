/** Operations: storms, failures, many machines at once, views, moments; and what people write is text. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GROUP, machine, ORIGIN, PROFILE, Rig, SUBNET } from "./rig";

const rig = new Rig();
const problems: string[][] = [];
beforeAll(async () => {
  // Silence is noticed soon; and one machine loads at a time.
  await rig.start('[boot]\npatience = "10s"\n');
  const machines = Array.from({ length: 20 }, (_, n) => machine(n + 1));
  rig.apply(`${SUBNET}  concurrentBoots: 1\n`, rig.image(), PROFILE, GROUP, ...machines);
});
afterAll(async () => {
  await rig.stop();
  expect(problems.flat()).toEqual([]);
});

async function open(path: string, token?: string, viewport = { width: 1360, height: 850 }): Promise<Page> {
  const opened = await rig.open(path, { viewport, ...(token === undefined ? {} : { token }) });
  problems.push(opened.problems);
  return opened.page;
}

const newToken = (name: string, role: string): string =>
  rig.cli("token", "create", name, "--role", role).trim().split(/\s+/).pop() ?? "";

test("in a storm everybody sees who loads, who waits, and in which place", async () => {
  const page = await open("/boots");
  await page.getByText("No machine is booting").waitFor();
  const power = rig.powerOn(3, { kernelStart: 3 });
  const storm = page.getByRole("region", { name: "Boot storm" });
  await storm.getByText(/^\d loads? an image, [12] waits? for a turn$/).waitFor();
  const board = page.getByRole("table", { name: "Machines that are booting, by phase" });
  await board.getByRole("columnheader", { name: "Place" }).waitFor();
  await board
    .getByTitle(/^It loads next$|^\d machines? loads? before it$/)
    .first()
    .waitFor();
  await board
    .getByTitle(/^silent for .* it has failed in/)
    .first()
    .waitFor();
  // It passes: all three run, and the board is empty again.
  await page.getByText("No machine is booting").waitFor({ timeout: 45_000 });
  power.kill("SIGKILL");
  await page.goto(`${ORIGIN}/machines?selector=stage=active`);
  await page.getByText("3 of 20 machines").waitFor();
});

test("a boot stands beside the median of its class", async () => {
  const page = await open("/machines/n1?tab=boot");
  const fall = page.getByRole("list", { name: "Phases of the boot" });
  await fall.getByRole("listitem", { name: /^Kernel: .* usually / }).waitFor();
  await page.getByText(/^Half of 2 boots of worker took at most/).waitFor();
  await page.getByText("its model", { exact: true }).click();
  await page.getByText(/^Half of 2 boots of .*Wick 310 took at most/).waitFor();
  expect(page.url()).toContain("by=model");
});

test("a failure is understood from the overview down to the phase in which it stopped", async () => {
  const page = await open("/");
  await page.getByText("No boot has failed in the last 24 hours.").waitFor();
  const power = rig.powerOn(1, { kernelStart: 600 });
  const failed = page.locator("section").filter({ hasText: "What failed in the last 24 hours" });
  await failed.getByText("the kernel did not come up far enough to ask for anything").waitFor({ timeout: 45_000 });
  power.kill("SIGKILL");
  await failed.getByRole("link", { name: "n1", exact: true }).click();
  // Led to the very boot: why, after which phase, and what would have come next.
  await page.getByRole("alert").filter({ hasText: "Why it failed" }).getByText("no driver for the interface").waitFor();
  const fall = page.getByRole("list", { name: "Phases of the boot" });
  await fall.getByRole("listitem", { name: /^Initramfs: \d/ }).waitFor();
  await fall.getByRole("listitem", { name: /^Root fs: —, usually/ }).waitFor();
  await page.goto(`${ORIGIN}/boots?show=failed`);
  await page.getByRole("table", { name: "Newest boots that have ended" }).getByText("no driver").waitFor();
});

test("many are armed again: of each it is said what would happen, and their number is asked for", async () => {
  rig.cli("machine", "retire", "n6");
  const page = await open("/machines?selector=rack=r3");
  await page.getByText("5 of 20 machines").waitFor();
  await page.getByLabel("Select all rows").click();
  await page.getByRole("button", { name: "Act on them" }).click();
  await page.getByRole("menuitem", { name: "Provision" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("4 machines would be changed.").waitFor();
  await dialog.getByText("1 machine would be refused:").waitFor();
  await dialog.getByRole("listitem").filter({ hasText: "n6" }).waitFor();
  await dialog.getByRole("listitem").filter({ hasText: "provisioning" }).first().waitFor();
  const go = dialog.getByRole("button", { name: "Provision 4 machines" });
  await dialog.getByLabel("Type 4 to go on").fill("5");
  expect(await go.isDisabled()).toBe(true);
  await dialog.getByLabel("Type 4 to go on").fill("4");
  await go.click();
  await dialog.getByText("4 machines changed.").waitFor();
  expect(rig.cli("events")).toContain("n10 is armed for worker@1");
});

test("a view is saved, opened from elsewhere, and forgotten", async () => {
  const page = await open("/machines?selector=rack=r2&columns=name,stage,serial&sort=-serial");
  await page.getByText("5 of 20 machines").waitFor();
  await page.getByRole("button", { name: "Views" }).click();
  await page.getByRole("menuitem", { name: "Save this view" }).click();
  const dialog = page.getByRole("dialog", { name: "Save this view" });
  await dialog.getByLabel("Name").fill("Rack 2 <b>by serial</b>");
  await dialog.getByRole("button", { name: "Save this view" }).click();
  await page.goto(`${ORIGIN}/events`);
  await page.getByRole("heading", { name: "Events" }).waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog").getByRole("combobox").and(page.locator(":focus")).waitFor();
  await page.keyboard.type("rack 2");
  await page.getByRole("option", { name: "View: Rack 2 <b>by serial</b>" }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByText("5 of 20 machines").waitFor();
  await page.getByRole("columnheader", { name: "Serial" }).waitFor();
  expect(await page.getByRole("columnheader", { name: "Serial" }).getAttribute("aria-sort")).toBe("descending");
  await page.getByRole("button", { name: "Views" }).click();
  await page.getByRole("menuitem", { name: "Forget Rack 2" }).click();
  await page.reload();
  await page.getByRole("button", { name: "Views" }).click();
  await page.getByText("None is saved yet").waitFor();
});

test("a moment of the timeline is linked, and whoever follows the link is led to it", async () => {
  rig.cli("machine", "hold", "n2", "--reason", "a DIMM is replaced");
  const page = await open("/machines/n2?tab=timeline");
  const moments = page.getByRole("list", { name: "Timeline, newest first" });
  const line = moments.getByRole("listitem").filter({ hasText: "a DIMM is replaced" });
  await line.getByRole("link", { name: /^Link to / }).click();
  await page.waitForURL(/at=\d+/);
  const link = page.url();
  rig.cli("machine", "release", "n2");
  await moments.getByText("machine.released").waitFor();
  const other = await open(link.slice(ORIGIN.length));
  const there = other.locator('.moment[aria-current="true"]');
  await there.getByText("a DIMM is replaced").waitFor();
  // What is about the same time by people only; and what leads to nothing says so.
  await other.getByRole("combobox", { name: "Source" }).click();
  await other.getByRole("option", { name: "people" }).click();
  await other.waitForURL(/source=people/);
  await there.waitFor();
  await other.goto(`${ORIGIN}/machines/n2?tab=timeline&at=999999999`);
  await other.getByText("The moment that the link leads to is not among what is shown.").waitFor();
});

test("script in what people write is text, wherever it is shown", async () => {
  const bad = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>";
  const long = "x".repeat(300);
  rig.cli("machine", "hold", "n7", "--reason", `${bad} ${long}`);
  const role = { spec: { description: `${bad} ${long}`, rules: [{ verbs: ["get"], kinds: ["Machine"] }] } };
  expect((await rig.ask("PUT", "/api/v1/roles/odd", JSON.stringify(role))).status).toBeLessThan(300);
  const group = {
    kind: "Group",
    name: "odd",
    spec: { match: { labels: { odd: "yes" } }, profile: "worker", variables: { said: `${bad} ${long}` } },
  };
  const why = encodeURIComponent(`${bad} ${long}`);
  expect((await rig.ask("POST", `/api/v1/apply?message=${why}`, JSON.stringify([group]))).status).toBeLessThan(300);
  const page = await open("/");
  await page.getByText(bad).first().waitFor();
  for (const path of [
    "/machines/n7",
    "/machines/n7?tab=timeline",
    "/machines/n7?tab=source",
    "/events",
    `/machines?find=${encodeURIComponent(bad)}`,
    `/machines?selector=${encodeURIComponent(bad)}`,
    `/boots?find=${encodeURIComponent(bad)}`,
    "/access?tab=roles",
    "/groups/odd",
    "/groups/odd?tab=revisions",
    "/audit",
    `/audit?find=${encodeURIComponent(bad)}`,
    "/system?tab=operations",
  ]) {
    await page.goto(ORIGIN + path);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.waitForTimeout(500);
    expect(await page.title(), path).not.toBe("run");
    expect(await page.locator("img[src=x]").count(), path).toBe(0);
    // What is long is wrapped, or cut off in a table: the page itself never scrolls sideways.
    const wider = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
    expect(wider, path).toBeLessThanOrEqual(0);
  }
  await page.goto(`${ORIGIN}/access?tab=roles`);
  await page.getByText(bad).first().waitFor();
  await page.goto(`${ORIGIN}/groups/odd?tab=revisions`);
  await page.getByText(bad).first().waitFor();
  // On a phone too.
  await page.setViewportSize({ width: 360, height: 740 });
  for (const path of ["/", "/machines/n7", "/access?tab=roles", "/groups/odd?tab=revisions", "/events"]) {
    await page.goto(ORIGIN + path);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.waitForTimeout(500);
    const wider = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
    expect(wider, path).toBeLessThanOrEqual(0);
  }
  rig.cli("machine", "release", "n7");
  rig.cli("delete", "groups", "odd");
  rig.cli("delete", "roles", "odd");
});

test("an API of another version says so", async () => {
  const { page, problems: found } = await rig.open("/machines");
  problems.push(found);
  await page.getByRole("status").filter({ hasText: "Live" }).waitFor();
  expect(await page.getByText("of another version than this page was made for").count()).toBe(0);
  // The daemon's own answer, but for the one header that tells versions apart.
  await page.route("**/api/v1/openapi.json", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, headers: { ...answer.headers(), etag: '"0123456789abcdef"' } });
  });
  await page.reload();
  await page.getByRole("alert").getByText("of another version than this page was made for").waitFor();
});

test("a machine is held from the palette, by keyboard only", async () => {
  const page = await open("/network");
  await page.getByRole("heading", { name: "Network" }).waitFor();
  await page.keyboard.press("/");
  await page.getByRole("dialog").getByRole("combobox").and(page.locator(":focus")).waitFor();
  await page.keyboard.type("hold n8");
  await page.getByRole("option", { name: /^Hold n8/ }).waitFor();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Hold 1 machine" });
  await dialog.getByText("1 machine would be changed.").waitFor();
  await dialog.getByLabel("Why").focus();
  await page.keyboard.type("looked at");
  await page.keyboard.press("Enter");
  await dialog.getByText("1 machine changed.").waitFor();
  await page.keyboard.press("Escape");
  await page.getByText("On hold by admin: looked at").waitFor();
  expect(page.url()).not.toContain("act=");
});

test("a role of one's own is heard: what it allows on one machine is off on another", async () => {
  rig.apply(
    'kind: Role\nname: rack-one\nspec:\n  rules:\n    - {verbs: [get], kinds: [Machine, Site]}\n    - {verbs: [hold, release], kinds: [Machine], selector: "rack=r2"}\n',
  );
  const page = await open("/machines/n9", newToken("r2", "rack-one"));
  const hold = page.getByRole("button", { name: "Hold" });
  await hold.waitFor();
  expect(await hold.getAttribute("aria-disabled")).toBeNull();
  const provision = page.getByRole("button", { name: "Provision" });
  await provision.and(page.locator('[aria-disabled="true"]')).waitFor();
  await provision.hover();
  await page.getByRole("tooltip").getByText("The role rack-one does not allow you to provision this.").waitFor();
  await page.goto(`${ORIGIN}/machines/n10`);
  await page.getByRole("button", { name: "Hold" }).and(page.locator('[aria-disabled="true"]')).waitFor();
});

test("each number of the overview leads to its list", async () => {
  rig.cli("machine", "hold", "n20", "--reason", "counted");
  const page = await open("/");
  const numbers = page.getByRole("list", { name: "Machines by stage" });
  await numbers.getByRole("link", { name: /^\d+ on hold$/ }).click();
  await page.getByRole("link", { name: "n20", exact: true }).waitFor();
  expect(page.url()).toContain("selector=hold=true");
  await page.goBack();
  await numbers.getByRole("link", { name: /addresses free$/ }).click();
  await page.getByRole("heading", { name: "Network" }).waitFor();
  await page.goBack();
  await page.getByRole("region", { name: "Subnets" }).getByRole("link", { name: "hall" }).waitFor();
});

test("what a machine gets is shown with where it is from, and what differs from what it runs", async () => {
  rig.apply(PROFILE.replace("console=ttyS0", "console=ttyS0, quiet"));
  const page = await open("/machines/n2?tab=gets");
  await page.getByText("What it runs, revision 1, against revision 2, which it is to run").first().waitFor();
  await page.getByText("- quiet").waitFor();
  await page.getByRole("heading", { name: "Kernel arguments" }).waitFor();
  await page
    .getByRole("cell", { name: /^profile worker, spec.kernelArgs/ })
    .first()
    .waitFor();
  await page.getByRole("heading", { name: "Its firmware is told" }).waitFor();
  await page.getByRole("region", { name: "Where the config's values are from" }).getByText("/etc/motd").waitFor();
});

test("on a phone a machine is found and acted on, and nothing is wider than the screen", async () => {
  const page = await open("/machines?find=n12", undefined, { width: 360, height: 740 });
  await page.getByRole("link", { name: "n12", exact: true }).click();
  await page.getByRole("button", { name: "Hold" }).click();
  await page.getByRole("dialog").getByLabel("Why").fill("in the aisle");
  await page.getByRole("dialog").getByRole("button", { name: "Hold 1 machine" }).click();
  await page.getByRole("dialog").getByText("1 machine changed.").waitFor();
  for (const path of [
    "/",
    "/boots",
    "/machines/n1?tab=boot",
    "/machines/n1?tab=facts",
    "/machines/n1?tab=gets",
    "/machines/n1?tab=timeline",
  ]) {
    await page.goto(ORIGIN + path);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.waitForTimeout(500);
    const wider = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
    expect(wider, path).toBeLessThanOrEqual(0);
  }
});
