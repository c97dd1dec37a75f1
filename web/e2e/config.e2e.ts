/** Configuration: addresses, drafts, who wins, webhooks, people, the daemon itself. */
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GROUP, machine, PROFILE, Rig, SERVER, SUBNET } from "./rig";

const rig = new Rig();
const problems: string[][] = [];
const SECRET = "hunter2-and-more";
const BASE = `kind: Profile
name: base
spec:
  boot: local
  butane: |
    variant: fcos
    version: 1.4.0
    storage:
      files:
        - path: /etc/zone
          mode: 0644
          contents:
            inline: zone {{ vars.zone }}
`;
const LAYERED = PROFILE.replace("  boot: live", "  boot: live\n  layers: [base]");
const ZONED = `${GROUP}  variables: {zone: a, password: ${SECRET}}\n`;

let receiver: Server;
let answer = 503;
let received: string[] = [];

beforeAll(async () => {
  receiver = createServer((request, response) => {
    let body = "";
    request.on("data", (piece: Buffer) => (body += piece.toString()));
    request.on("end", () => {
      if (answer < 300) received.push(body);
      response.writeHead(answer).end(answer < 300 ? "" : "not now");
    });
  });
  await new Promise<void>((resolve) => receiver.listen(9009, SERVER, resolve));
  await rig.start(`[webhooks]\nallow = ["${SERVER}"]\nretry-first = "1s"\nretry-longest = "1s"\nretry-for = "2s"\n`);
  rig.apply(SUBNET, rig.image(), BASE, LAYERED, ZONED, machine(1), machine(2, "n2", "{role: storage}"));
  rig.apply(
    `kind: Group\nname: everything\nspec: {profile: worker, variables: {zone: any}}\n`,
    `kind: Group\nname: this-one\nspec: {match: {macs: ["52:54:01:77:00:01"]}, profile: worker, variables: {zone: own}}\n`,
  );
});
afterAll(async () => {
  await rig.stop();
  await new Promise((resolve) => receiver.close(resolve));
  expect(problems.flat()).toEqual([]);
});

async function open(path: string, token?: string): Promise<Page> {
  const opened = await rig.open(path, token === undefined ? {} : { token });
  problems.push(opened.problems);
  return opened.page;
}

const editor = (page: Page) => page.getByRole("textbox", { name: "Documents as YAML" });

async function write(page: Page, text: string): Promise<void> {
  await editor(page).click();
  await page.keyboard.press("ControlOrMeta+a");
  await editor(page).evaluate((element, pasted) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", pasted);
    element.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, text);
}

test("a draft is seen as a chosen machine would get it, with where each value is from", async () => {
  const page = await open("/profiles/worker");
  await editor(page).waitFor();
  await page.getByRole("tab", { name: "What a machine gets" }).click();
  const beside = page.getByRole("region", { name: "What a machine gets" });
  await beside.getByText("zone%20own").waitFor();
  await write(page, LAYERED.replace("This is {{ machine.name }}.", "Drafted for {{ machine.name }}."));
  await beside.getByText("Drafted%20for%20n1").waitFor();
  await beside.getByRole("combobox", { name: "Machine" }).click();
  await page.getByRole("option", { name: "n2" }).click();
  await beside.getByText("Drafted%20for%20n2").waitFor();
  await beside.getByText("Drafted%20for%20n2").hover();
  await beside.getByText("profile worker, spec.butane, line 8; machine.name").waitFor();
  await beside.getByText("Where from").click();
  await beside.getByText("profile base, spec.butane").first().waitFor();
  expect(rig.cli("get", "profiles", "worker", "-o", "json")).not.toContain("Drafted");
});

test("who wins for a machine is said, and whom a group loses", async () => {
  const page = await open("/groups?machine=n1");
  const order = page.getByRole("region", { name: "Groups that take the machine" });
  await order.getByText("over workers: it names a MAC of the machine").waitFor();
  const rows = await order.getByRole("row").allTextContents();
  expect(rows.slice(1).map((row) => /^(this-one|workers|everything)/.exec(row)?.[1])).toEqual([
    "this-one",
    "workers",
    "everything",
  ]);
  await order.getByRole("link", { name: "workers", exact: true }).click();
  await page.getByRole("tab", { name: "Machines" }).click();
  await page.getByText("It counts for 0 of the 1 that it takes.").waitFor();
  await page.getByText("this-one wins: it names a MAC of the machine").waitFor();
});

test("a lease is found by its machine, and the range's picture says how many are free", async () => {
  const before = await open("/network");
  await before.getByText("25,344 of 25,344 free").waitFor();
  const power = rig.powerOn(1);
  await new Promise((resolve) => power.once("exit", resolve));
  const page = await open("/network");
  await page.getByRole("img", { name: /The ranges of hall: 25,343 of 25,344 addresses free, 1 leased/ }).waitFor();
  await page.getByRole("tab", { name: "Leases" }).click();
  await page.getByRole("textbox", { name: "Find" }).fill("n1");
  const table = page.getByRole("table", { name: "Leases" });
  await table.getByText("52:54:01:77:00:01").waitFor();
  await table.getByText("leased").waitFor();
  const cli = rig.cli("leases", "--machine", "n1");
  expect(cli).toContain("52:54:01:77:00:01");
  await page.getByRole("tab", { name: "Seen" }).click();
  await page.getByRole("rowheader", { name: "10.80.0.1" }).waitFor();
});

test("a capture is opened, and its packet explained", async () => {
  const bootp = Buffer.from(
    `010106001122334400000000${"00000000".repeat(4)}525401770001${"00".repeat(10)}${"00".repeat(192)}63825363350101ff`,
    "hex",
  );
  const udp = Buffer.alloc(8);
  [68, 67, 8 + bootp.length, 0].forEach((value, index) => udp.writeUInt16BE(value, 2 * index));
  const ip = Buffer.alloc(20);
  ip[0] = 0x45;
  ip.writeUInt16BE(28 + bootp.length, 2);
  ip[9] = 17;
  ip.fill(255, 16, 20);
  const frame = Buffer.concat([Buffer.alloc(12, 255), Buffer.from([8, 0]), ip, udp, bootp]);
  const head = Buffer.alloc(24);
  [0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1].forEach((value, index) => head.writeUInt32LE(value, 4 * index));
  const record = Buffer.alloc(16);
  record.writeUInt32LE(frame.length, 8);
  record.writeUInt32LE(frame.length, 12);
  const file = join(rig.folder, "boot.pcap");
  writeFileSync(file, Buffer.concat([head, record, frame]));
  const page = await open("/network?tab=inspector");
  await page.locator('input[type="file"]').setInputFiles(file);
  await page.getByText("1 DHCP packets in it").waitFor();
  await page.getByText("DHCPDISCOVER").first().waitFor();
  await page.getByRole("heading", { name: "Answer", exact: true }).waitFor();
  const other = join(rig.folder, "other.pcap");
  writeFileSync(other, "this is no capture, whatever its name says");
  await page.locator('input[type="file"]').setInputFiles(other);
  await page.getByText("This is no capture that can be read").waitFor();
});

test("a viewer cannot do what editors can, and is told why", async () => {
  const viewer = rig.cli("token", "create", "looks-only", "--role", "viewer").trim().split(/\s+/).pop() ?? "";
  const page = await open("/profiles/worker", viewer);
  await editor(page).waitFor();
  await write(page, LAYERED.replace("console=ttyS0", "console=ttyS0, mine"));
  const plan = page.getByRole("region", { name: "What this would do" });
  await plan.getByText("is changed").waitFor();
  const apply = plan.getByRole("button", { name: "Apply", disabled: true });
  expect(await apply.getAttribute("aria-description")).toContain("editor");
  await apply.click({ force: true });
  for (const [path, button] of [
    ["/groups", "New group"],
    ["/network", "New subnet"],
    ["/webhooks", "New webhook"],
    ["/system?tab=doctor", "Look now"],
  ] as const) {
    await page.goto(new URL(path, page.url()).href);
    // What somebody may do is known a moment after the page is.
    await page.getByRole("button", { name: button, disabled: true }).waitFor();
  }
  expect(rig.cli("get", "profiles", "worker", "-o", "json")).not.toContain("mine");
});

test("who may see roles, users and tokens, and not change them, finds the buttons off, and why", async () => {
  rig.apply(
    `kind: Role\nname: auditor\nspec: {rules: [{verbs: [get], kinds: ["*"]}, {verbs: [delete], kinds: [Token]}]}\n`,
  );
  const made = await rig.ask(
    "POST",
    "/api/v1/users",
    JSON.stringify({ name: "bob", password: "a long sentence of his", role: "viewer" }),
  );
  expect(made.status).toBe(201);
  const token = rig.cli("token", "create", "looks", "--role", "auditor").trim().split(/\s+/).pop() ?? "";
  const page = await open("/access?tab=users", token);
  const off = async (name: string) => {
    const button = page.getByRole("button", { name, exact: true });
    await expect.poll(() => button.getAttribute("aria-disabled"), { message: name, timeout: 15_000 }).toBe("true");
    expect(await button.getAttribute("aria-description"), name).toContain("The role auditor does not allow you to");
    await button.click({ force: true });
    expect(await page.getByRole("dialog").count(), name).toBe(0);
  };
  for (const name of ["New user", "Change bob", "Give bob another password", "Delete bob"]) await off(name);
  await page.getByRole("tab", { name: "Roles" }).click();
  for (const name of ["New role", "Edit auditor", "Delete auditor"]) await off(name);
  await page.getByRole("tab", { name: "Tokens" }).click();
  await off("New token");
  // What it does allow is on.
  await page.getByRole("button", { name: "End looks-only" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "End", exact: true }).click();
  await page.getByRole("button", { name: "End looks-only" }).waitFor({ state: "detached" });
  expect((await rig.ask("DELETE", "/api/v1/users/bob")).status).toBeLessThan(300);
  rig.cli("token", "delete", "looks");
  rig.cli("delete", "roles", "auditor");
});

test("a dead letter is replayed", async () => {
  rig.apply(`kind: Webhook\nname: alerts\nspec: {url: "http://${SERVER}:9009/", events: [machine.held]}\n`);
  rig.cli("machine", "hold", "n2", "--reason", "the switch is replaced");
  const page = await open("/webhooks");
  await page.getByRole("link", { name: "alerts" }).click();
  const table = page.getByRole("region", { name: "Deliveries" });
  await table.getByText("given up").waitFor({ timeout: 40_000 });
  await table.getByRole("button", { name: "Show the tries of machine.held of machine/n2" }).click();
  await page.getByRole("dialog").getByText("not now").first().waitFor();
  await page.getByRole("button", { name: "Close" }).click();
  answer = 204;
  received = [];
  await page.getByRole("button", { name: "Send 1 that was given up again" }).click();
  await page.getByText("1 delivery is sent again.").waitFor();
  await table.getByText("delivered").waitFor({ timeout: 40_000 });
  expect(received.join()).toContain("the switch is replaced");
  await page.getByRole("button", { name: "Send a test event" }).click();
  await page.getByText("Its receiver answered 204").waitFor();
});

test("a user is made and may then sign in, and may not once disabled", async () => {
  const password = "a long sentence of hers";
  const page = await open("/access?tab=users");
  await page.getByText("There are no local users").waitFor();
  await page.getByRole("button", { name: "New user" }).click();
  const dialog = page.getByRole("dialog", { name: "New user" });
  await dialog.getByLabel("Name").fill("alice");
  await dialog.getByRole("textbox", { name: "Password" }).fill(password);
  await dialog.getByRole("combobox", { name: "Role" }).click();
  await page.getByRole("option", { name: /^operator/ }).click();
  await dialog.getByRole("button", { name: "New user" }).click();
  await page.getByRole("rowheader", { name: "alice" }).waitFor();
  const { page: hers } = await rig.open("/sign-in?next=/machines", { token: null });
  await hers.getByLabel("Name").fill("alice");
  await hers.getByLabel("Password").fill(password);
  await hers.getByRole("button", { name: "Sign in", exact: true }).click();
  await hers.getByRole("heading", { name: "Machines" }).waitFor();
  await hers.getByRole("button", { name: "Who is signed in" }).click();
  await hers.getByText("user:alice, operator").first().waitFor();
  await page.getByRole("button", { name: "Change alice" }).click();
  await page.getByRole("dialog").getByLabel("May not sign in").check();
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await page.getByRole("cell", { name: "disabled" }).waitFor();
  const { page: again } = await rig.open("/sign-in?next=/machines", { token: null });
  // She was the only one who could sign in by name: nobody is asked for a name any more.
  await again
    .getByRole("button", { name: /Sign in/ })
    .first()
    .waitFor();
  expect(await again.getByLabel("Name").count()).toBe(0);
});

test("a role is made by its rules, and allows just that", async () => {
  const page = await open("/access?tab=roles");
  await page.getByRole("button", { name: "New role" }).click();
  const dialog = page.getByRole("dialog", { name: "New role" });
  await dialog.getByLabel("Name").fill("storage-team");
  await dialog.getByRole("combobox", { name: "May" }).focus();
  await page.keyboard.press("ArrowDown");
  await page.getByRole("option", { name: "hold" }).click();
  await page.keyboard.press("Escape");
  await dialog.getByLabel("With labels").fill("role=storage");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByRole("rowheader", { name: "storage-team" }).waitFor();
  const token = rig.cli("token", "create", "storage", "--role", "storage-team").trim().split(/\s+/).pop() ?? "";
  const theirs = await open("/machines", token);
  await theirs.getByText("1 machine", { exact: true }).waitFor();
  await theirs.getByRole("link", { name: "n2" }).waitFor();
});

test("two who edit one role meet, and neither loses a text without a word", async () => {
  const role = (what: string) =>
    `kind: Role\nname: rack-team\nspec: {description: ${what}, rules: [{verbs: [get, hold], kinds: [Machine]}]}\n`;
  rig.apply(role("first"));
  const page = await open("/access?tab=roles");
  await page.getByRole("button", { name: "Edit rack-team" }).click();
  const dialog = page.getByRole("dialog", { name: "Edit rack-team" });
  const what = dialog.getByLabel("What it is for");
  // What was not touched follows what is there.
  rig.apply(role("second"));
  await expect.poll(() => what.inputValue(), { timeout: 15_000 }).toBe("second");
  await what.fill("mine");
  rig.apply(role("theirs"));
  const alert = dialog.getByRole("alert").filter({ hasText: "Somebody else has saved revision" });
  await alert.getByText('+  "description": "theirs"').waitFor();
  await alert.getByRole("button", { name: "Go on with mine" }).click();
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "hidden" });
  expect(rig.cli("get", "roles", "rack-team", "-o", "json")).toContain("mine");

  // The other saves in the very moment: the page has not heard of it, and the daemon refuses the later one.
  await page.getByRole("button", { name: "Edit rack-team" }).click();
  await what.fill("mine again");
  let hear: () => void = () => undefined;
  const heard = new Promise<void>((resolve) => (hear = resolve));
  await page.route(/roles\?limit/, (route) => heard.then(() => route.fallback()));
  rig.apply(role("theirs again"));
  const refused = page.waitForResponse((answer) => answer.request().method() === "PUT" && answer.status() === 412);
  await dialog.getByRole("button", { name: "Save" }).click();
  await refused;
  hear();
  await alert.getByText('+  "description": "theirs again"').waitFor();
  await alert.getByRole("button", { name: "Take theirs" }).click();
  await expect.poll(() => what.inputValue()).toBe("theirs again");
  expect(await dialog.getByRole("alert").count()).toBe(0);
  expect(rig.cli("get", "roles", "rack-team", "-o", "json")).not.toContain("mine");
});

test("the support bundle is downloaded, and holds no secret", async () => {
  const page = await open("/system");
  await page.getByText("migration").waitFor();
  const coming = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download it" }).click();
  const file = await (await coming).path();
  const text = readFileSync(file, "utf8");
  expect(text).not.toContain(SECRET);
  expect(text).not.toContain(rig.token);
  expect(
    (JSON.parse(text) as { resources: { groups: { name: string }[] } }).resources.groups.map((one) => one.name),
  ).toContain("workers");
  expect(rig.cli("support-bundle")).not.toContain(SECRET);
});

test("the doctor looks at the host, and background passes are seen", async () => {
  const page = await open("/system?tab=doctor");
  await page.getByText("Nobody has looked since the daemon was started").waitFor();
  await page.getByRole("button", { name: "Look now" }).click();
  await page.getByText("Looking at the host and its networks").waitFor();
  const found = page.getByRole("region", { name: "What was found" });
  await found.getByText("the configuration is good").waitFor({ timeout: 40_000 });
  await page.getByRole("tab", { name: "Background passes" }).click();
  await page.getByRole("rowheader", { name: "stalls" }).waitFor();
});

test("the audit log is searched, and what is found is taken along", async () => {
  const page = await open("/audit");
  await page.getByRole("textbox", { name: "Find" }).fill("storage-team");
  await page.getByText("resource/").or(page.getByText("role/storage-team")).first().waitFor();
  const coming = page.waitForEvent("download");
  await page.getByRole("button", { name: "CSV" }).click();
  const text = readFileSync(await (await coming).path(), "utf8");
  expect(text.split("\r\n")[0]).toBe("seq,at,actor,remote,action,object,request");
  expect(text).toContain("role/storage-team");
  expect(text).not.toContain("profile/worker");
});
