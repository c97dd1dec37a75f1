/**
 * A daemon of its own with its data in a temporary folder, machines that can be powered on, and a browser. `e2e/run` gives them a
 * network namespace, and one behind it where the machines are: the daemon has the ports of its trade, and nothing of the host's.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
  type Route,
} from "playwright-core";

const BIN = process.env.PILOTLIGHT_BIN ?? "../target/debug/pilotlight";
const FLEET = process.env.PILOTLIGHT_FLEET_BIN ?? "../target/debug/fleet";
const AGENT = process.env.PILOTLIGHT_AGENT_BIN ?? "../target/x86_64-unknown-linux-gnu/agent/pilotlight-agent";
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const SERVER = "10.77.0.1";
export const ORIGIN = `https://${SERVER}:8443`;
/** The process in whose network the machines are. */
const FAR = process.env.PILOTLIGHT_FAR ?? "";
/** How long something may take to appear: more where the machine is busy with other things. */
const PATIENCE = Number(process.env.E2E_PATIENCE ?? 15_000);
/** A build of the pages (`dist/ui`) in place of what the daemon has in it: for a try while they are changed. */
const UI = process.env.E2E_UI;
const NETWORK = "10.80.0.0/16";
const RELAY = "10.80.0.1";

export const SUBNET = `kind: Subnet
name: hall
spec:
  cidr: ${NETWORK}
  mode: authoritative
  ranges: [10.80.1.0-10.80.99.255]
  lease: 1h
  probe: false
`;

export const PROFILE = `kind: Profile
name: worker
spec:
  image: live
  boot: live
  kernelArgs: [console=ttyS0]
  butane: |
    variant: fcos
    version: 1.4.0
    storage:
      files:
        - path: /etc/motd
          mode: 0644
          contents:
            inline: This is {{ machine.name }}.
`;

export const GROUP = `kind: Group
name: workers
spec:
  match: {labels: {role: worker}}
  profile: worker
`;

/** Member `n` of the hall, as the simulator has it. */
export const machine = (n: number, name = `n${n}`, labels = `{role: worker, rack: r${1 + (n % 4)}}`): string =>
  `kind: Machine\nname: ${name}\nlabels: ${labels}\nspec: {macs: ["52:54:01:77:${hex(n >> 8)}:${hex(n & 255)}"], rack: r${1 + (n % 4)}, unit: ${1 + (n % 40)}, serial: FLT${String(n).padStart(5, "0")}}\n`;

const hex = (n: number) => n.toString(16).padStart(2, "0");

/** The pages of that build under the daemon's own headers; everything else is the daemon's. */
async function instead(route: Route, folder: string): Promise<void> {
  const { pathname } = new URL(route.request().url());
  const document = route.request().resourceType() === "document" && !pathname.startsWith("/status");
  if (!document && !pathname.startsWith("/assets/")) return route.fallback();
  if (!document) return route.fulfill({ path: join(folder, pathname) });
  const response = await route.fetch({ maxRetries: 3 }).catch(() => undefined);
  if (response === undefined) return route.abort();
  const nonce = /'nonce-([^']+)'/.exec(response.headers()["content-security-policy"] ?? "")?.[1] ?? "";
  const body = readFileSync(join(folder, "index.html"), "utf8").replaceAll("NONCE-OF-THIS-RESPONSE", nonce);
  return route.fulfill({ response, body });
}

export class Rig {
  readonly folder = mkdtempSync(join(tmpdir(), "pilotlight-web-"));
  token = "";
  private daemon: ChildProcess | undefined;
  private children: ChildProcess[] = [];
  private browser: Browser | undefined;
  private agent = new Agent({ rejectUnauthorized: false, keepAlive: true });

  /** Starts the daemon and the browser, with these lines at the end of its configuration. */
  async start(more = ""): Promise<void> {
    const config = `[site]\nname = "hall"\n[server]\ndata-dir = "${this.folder}/data"\n[http]\nlisten = "${SERVER}:8080"\n[https]\nlisten = "${SERVER}:8443"\n[dhcp]\ninterfaces = ["eth0"]\n[tftp]\nlisten = "${SERVER}:69"\n[agent]\nbinary = "${AGENT}"\n${more}`;
    writeFileSync(join(this.folder, "pilotlight.toml"), config);
    await this.startDaemon();
    this.browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  }

  async startDaemon(): Promise<void> {
    const log = openSync(join(this.folder, "daemon.log"), "a");
    this.daemon = spawn(BIN, ["serve", "--config", join(this.folder, "pilotlight.toml")], {
      stdio: ["ignore", log, log],
    });
    for (let tries = 0; ; tries += 1) {
      const ready = await this.ask("GET", "/readyz").catch(() => undefined);
      if (ready?.status === 200) break;
      if (tries > 300)
        throw new Error(`the daemon does not start:\n${readFileSync(join(this.folder, "daemon.log"), "utf8")}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    this.token = readFileSync(join(this.folder, "data/admin.token"), "utf8").trim();
  }

  async stopDaemon(): Promise<void> {
    const daemon = this.daemon;
    if (daemon?.exitCode !== null) return;
    const ended = new Promise((resolve) => daemon.once("exit", resolve));
    daemon.kill("SIGKILL");
    await ended;
  }

  async stop(): Promise<void> {
    await this.browser?.close();
    for (const child of this.children) child.kill("SIGKILL");
    await this.stopDaemon();
    this.agent.destroy();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The API, as a script would ask it. */
  ask(
    method: string,
    path: string,
    body?: string,
    type = "application/json",
  ): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const headers: Record<string, string> = { authorization: `Bearer ${this.token}`, "content-type": type };
      const asked = request(ORIGIN + path, { method, headers, agent: this.agent }, (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (piece: string) => (text += piece));
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
      });
      asked.on("error", reject);
      asked.end(body);
    });
  }

  /** `pilotlight apply -f` of these documents. */
  apply(...documents: string[]): void {
    const file = join(this.folder, `${randomBytes(4).toString("hex")}.yaml`);
    writeFileSync(file, documents.join("---\n"));
    this.cli("apply", "-f", file, "--allow-machines", "100000");
  }

  cli(...words: string[]): string {
    const env = {
      ...process.env,
      PILOTLIGHT_URL: ORIGIN,
      PILOTLIGHT_TOKEN: this.token,
      PILOTLIGHT_CA: join(this.folder, "data/ca.pem"),
    };
    return execFileSync(BIN, words, { env, encoding: "utf8", maxBuffer: 1 << 28 });
  }

  /** An image of random bytes, as a document. */
  image(name = "live", bytes = 300_000): string {
    const part = (file: string, size: number) => {
      const content = randomBytes(size);
      const path = join(this.folder, file);
      writeFileSync(path, content);
      return `{url: ${path}, sha256: ${createHash("sha256").update(content).digest("hex")}}`;
    };
    return `kind: Image\nname: ${name}\nspec:\n  os: fedora-coreos\n  arch: x86_64\n  version: "42.1"\n  kernel: ${part("kernel", bytes)}\n  initrd: [${part("initramfs", bytes)}]\n  rootfs: ${part("rootfs", bytes * 4)}\n`;
  }

  /** Powers on the first machines of the hall. */
  powerOn(count: number, options: { toTheAgent?: boolean; kernelStart?: number; spread?: number } = {}): ChildProcess {
    const { toTheAgent = true, kernelStart = 1, spread = 0.2 } = options;
    const words = ["--machines", String(count), "--server", SERVER, "--relay", RELAY, "--network", NETWORK];
    words.push(
      "--kernel-start",
      String(kernelStart),
      "--spread",
      String(spread),
      ...(toTheAgent ? ["--to-the-agent"] : []),
    );
    const log = openSync(join(this.folder, "fleet.log"), "a");
    const child = spawn("nsenter", ["-t", FAR, "-n", FLEET, ...words], { stdio: ["ignore", log, log] });
    this.children.push(child);
    return child;
  }

  /** A browser window; `signIn` is false for one that nobody has signed in to. */
  async open(
    path = "/",
    options: BrowserContextOptions & { token?: string | null } = {},
  ): Promise<{ page: Page; context: BrowserContext; problems: string[] }> {
    const { token = this.token, ...rest } = options;
    if (this.browser === undefined) throw new Error("the rig is not started");
    const context = await this.browser.newContext({
      ignoreHTTPSErrors: true,
      viewport: { width: 1360, height: 850 },
      ...rest,
    });
    context.setDefaultTimeout(PATIENCE);
    if (UI !== undefined) await context.route(`${ORIGIN}/**`, (route) => instead(route, UI));
    const page = await context.newPage();
    const problems: string[] = [];
    // What the policy keeps away, and what a script throws, is a failure of the story whoever looks for it.
    page.on("console", (message) => {
      if (message.type() === "error" && !/status of 4|ERR_CONNECTION|net::/.test(message.text()))
        problems.push(message.text());
    });
    page.on("pageerror", (error) => problems.push(String(error)));
    await page.goto(ORIGIN + path);
    if (token !== null) {
      await page.getByLabel("Token", { exact: true }).fill(token);
      await page.getByRole("button", { name: "Sign in" }).click();
    }
    return { page, context, problems };
  }
}
