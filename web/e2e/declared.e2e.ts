/** What is declared: from an empty daemon to a machine that runs, and profiles that change. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GROUP, machine, PROFILE, Rig, SUBNET } from "./rig";

const rig = new Rig();
const problems: string[][] = [];
beforeAll(() => rig.start());
afterAll(async () => {
  await rig.stop();
  expect(problems.flat()).toEqual([]);
});

async function open(path: string, token?: string): Promise<Page> {
  const opened = await rig.open(path, token === undefined ? {} : { token });
  problems.push(opened.problems);
  return opened.page;
}

const editor = (page: Page) => page.getByRole("textbox", { name: "Documents as YAML" });
const plan = (page: Page) => page.getByRole("region", { name: "What this would do" }).first();

/** Replaces all of the text by pasting. */
async function write(page: Page, text: string): Promise<void> {
  await editor(page).click();
  await page.keyboard.press("ControlOrMeta+a");
  await editor(page).evaluate((element, pasted) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", pasted);
    element.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, text);
}

async function apply(page: Page): Promise<void> {
  await plan(page).getByRole("button", { name: "Apply" }).click();
  await plan(page).getByText("It is applied.").or(page.getByText("(done)").first()).first().waitFor();
}

test("from an empty daemon to the first machine that is active", async () => {
  const page = await open("/");
  await page.getByText("There are no machines yet").waitFor();
  await page.getByRole("main").getByRole("link", { name: "First steps" }).click();
  const documents = [
    ["A network to answer on", SUBNET],
    ["An image to boot", rig.image()],
    ["A profile", PROFILE],
    ["A group", GROUP],
    ["A machine", machine(1)],
  ] as const;
  for (const [step, document] of documents) {
    await page.locator('[aria-current="step"]').filter({ hasText: step }).waitFor();
    await write(page, document);
    await plan(page).getByText("is created").waitFor();
    await plan(page).getByRole("button", { name: "Apply" }).click();
    await page.getByRole("listitem").filter({ hasText: step }).getByText("(done)").waitFor();
  }
  const power = rig.powerOn(1);
  await page.getByRole("listitem").filter({ hasText: "It runs" }).getByText("(done)").waitFor({ timeout: 45_000 });
  power.kill("SIGKILL");
});

test("a mistake in a profile is shown at its line, mended, planned and applied", async () => {
  const page = await open("/profiles/worker");
  await editor(page).waitFor();
  await write(page, PROFILE.replace("mode: 0644", "mode: rw").replace("boot: live", "boot: life"));
  const alert = page.getByRole("alert").filter({ hasText: "mistake" });
  await alert.getByText("line 5").waitFor();
  expect(await plan(page).getByRole("button", { name: "Apply" }).isDisabled()).toBe(true);
  await write(page, PROFILE.replace("mode: 0644", "mode: rw"));
  await alert.getByText("line 13").waitFor();
  await write(page, PROFILE.replace("console=ttyS0", "console=ttyS0, quiet"));
  await plan(page).getByText("is changed").waitFor();
  await plan(page).getByText("Once they are provisioned again").waitFor();
  await plan(page).getByRole("link", { name: "n1" }).waitFor();
  await page.getByLabel("Why").fill("less to read on the console");
  await apply(page);
  await page.getByRole("tab", { name: "Revisions" }).click();
  await page.getByText("less to read on the console").waitFor();
  await page.getByText("+    - quiet").waitFor();
  const machines = await open("/machines?selector=drift=true");
  await machines.getByText("drifted").waitFor();
});

test("a revision is rolled back", async () => {
  const page = await open("/profiles/worker?tab=revisions&revision=1");
  await page.getByRole("button", { name: "Edit with what revision 1 says" }).click();
  await plan(page).getByText("is changed").waitFor();
  await apply(page);
  expect(rig.cli("get", "profiles", "worker", "-o", "json")).not.toContain("quiet");
});

test("two editors meet, and neither loses a text without a word", async () => {
  const page = await open("/profiles/worker");
  await editor(page).waitFor();
  await write(page, PROFILE.replace("console=ttyS0", "console=ttyS0, mine"));
  await plan(page).getByText("is changed").waitFor();
  rig.apply(PROFILE.replace("console=ttyS0", "console=ttyS0, theirs"));
  const alert = page.getByRole("alert").filter({ hasText: "Somebody else has saved revision" });
  await alert.getByText("+    - theirs").waitFor();
  await alert.getByRole("button", { name: "Go on with mine" }).click();
  await plan(page).getByText("-    - theirs").waitFor();
  await apply(page);
  expect(rig.cli("get", "profiles", "worker", "-o", "json")).toContain("mine");
});

test("a session that ends in mid-edit loses nothing", async () => {
  const make = (name: string) => rig.cli("token", "create", name, "--role", "editor").trim().split(/\s+/).pop() ?? "";
  const page = await open("/profiles/worker", make("short"));
  await editor(page).waitFor();
  await write(page, PROFILE.replace("console=ttyS0", "console=ttyS0, kept"));
  await plan(page).getByText("is changed").waitFor();
  rig.cli("token", "delete", "short");
  await plan(page).getByRole("button", { name: "Apply" }).click();
  const dialog = page.getByRole("dialog", { name: "Sign in" });
  await dialog.getByText("what you were doing goes on where it was").waitFor();
  await dialog.getByLabel("Token", { exact: true }).fill(make("next"));
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await plan(page).getByText("It is applied.").waitFor();
  expect(rig.cli("get", "profiles", "worker", "-o", "json")).toContain("kept");
});

test("what was typed and not applied is there after a reload", async () => {
  const page = await open("/groups/workers");
  await editor(page).waitFor();
  await write(page, GROUP.replace("role: worker", "role: other"));
  await plan(page).getByText("is changed").waitFor();
  await page.reload();
  await page.getByText("This is your text from before").waitFor();
  await page.getByRole("button", { name: "Discard it" }).click();
  await plan(page).getByText("Nothing would change.").waitFor();
});

test("a packet is explained", async () => {
  const page = await open("/network?tab=inspector");
  const packet = `010106001122334400000000${"00000000".repeat(4)}525401770001${"00".repeat(10)}${"00".repeat(192)}63825363350101ff`;
  await page.getByLabel("Packet as hex").fill("no hex");
  await page.getByText("This is not hex").waitFor();
  await page.getByLabel("Packet as hex").fill(packet);
  await page.getByRole("button", { name: "What would be answered?" }).click();
  await page.getByRole("heading", { name: "Answer", exact: true }).waitFor();
  await page.getByText("52:54:01:77:00:01").first().waitFor();
});

test("the audit log shows what was changed, and that it is whole", async () => {
  const page = await open("/audit?object=profile/worker");
  await page
    .getByRole("button", { name: /Show what .* profile\/worker changed/ })
    .first()
    .click();
  await page.getByRole("dialog").getByText("kept").waitFor();
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Verify" }).click();
  await page.getByText("The log is whole").waitFor();
});

test("a token is made, shown once, and ended", async () => {
  const page = await open("/access");
  await page.getByRole("button", { name: "New token" }).click();
  const dialog = page.getByRole("dialog", { name: "New token" });
  await dialog.getByLabel("Name").fill("ci");
  await dialog.getByRole("button", { name: "New token" }).click();
  await dialog.getByText("This is shown once only").waitFor();
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await page.getByRole("button", { name: "End ci" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "End", exact: true }).click();
  await page.getByRole("button", { name: "End ci" }).waitFor({ state: "detached" });
  expect(rig.cli("token", "list")).not.toMatch(/^ci /m);
});
