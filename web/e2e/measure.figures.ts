/** Figures, not a test: 100,000 machines in the page. `e2e/run npm run measure` prints them. */
import { afterAll, beforeAll, test } from "vitest";
import { GROUP, ORIGIN, PROFILE, Rig, SUBNET } from "./rig";

const MACHINES = Number(process.env.MACHINES ?? "100000");
/** What the API takes in one request. */
const AT_ONCE = 10_000;

const rig = new Rig();
beforeAll(async () => {
  await rig.start();
  rig.apply(SUBNET, rig.image(), PROFILE, GROUP);
  for (let from = 0; from < MACHINES; from += AT_ONCE) {
    const many = Array.from({ length: Math.min(AT_ONCE, MACHINES - from) }, (_, n) => declared(from + n + 1));
    const answer = await rig.ask("POST", "/api/v1/apply?allow-machines=1000000", JSON.stringify(many));
    if (answer.status !== 200) throw new Error(answer.text.slice(0, 500));
    console.log(`${from + many.length} machines declared`);
  }
}, 1_800_000);
afterAll(() => rig.stop());

/** The rest of the hall has MACs of its own: the simulator's end at 65,535. */
const declared = (n: number): unknown => ({
  kind: "Machine",
  name: `n${n}`,
  labels: { role: n % 3 === 0 ? "worker" : "storage", site: `dc${1 + (n % 3)}` },
  spec: {
    macs: [
      `52:54:02:${[n >> 16, (n >> 8) & 255, n & 255].map((byte) => byte.toString(16).padStart(2, "0")).join(":")}`,
    ],
    rack: `r${1 + (n % 500)}`,
    unit: 1 + (n % 40),
    serial: `FLT${String(n).padStart(6, "0")}`,
  },
});

test("figures", { timeout: 600_000 }, async () => {
  const { page } = await rig.open("/start");
  page.setDefaultTimeout(300_000);
  await page.getByRole("heading", { level: 1 }).waitFor();
  // A first page, with nothing kept from before.
  const began = Date.now();
  await page.goto(`${ORIGIN}/access`);
  await page.getByRole("heading", { name: "Access" }).waitFor();
  console.log(`a page is interactive after ${Date.now() - began} ms`);

  const read = Date.now();
  await page.goto(`${ORIGIN}/machines`);
  await page.getByText(`${MACHINES.toLocaleString("en")} machines`).waitFor();
  console.log(`${MACHINES} machines are read and shown after ${Date.now() - read} ms`);

  for (const text of ["n9", "n99", "flt0123", "52:54:02:01", ""]) {
    const took = await page.evaluate(`(${FILTER})(${JSON.stringify(text)})`);
    console.log(`find "${text}": ${Math.round(Number(took))} ms from the key to the new rows painted`);
  }
  const frames = await page.evaluate<number[]>(`(${SCROLL})()`);
  frames.sort((a, b) => a - b);
  const at = (part: number) => (frames[Math.floor(frames.length * part)] ?? 0).toFixed(1);
  console.log(
    `scroll: ${frames.length} frames, median ${at(0.5)} ms, 95 % within ${at(0.95)} ms, ${frames.filter((ms) => ms > 25).length} longer than 25 ms`,
  );
});

/** A second's worth of events, and for how many seconds. */
const RATE = Number(process.env.RATE ?? "1000");
const SECONDS = 10;

for (const [path, field] of [
  ["/", "palette"],
  ["/boots", "palette"],
  ["/machines", "Find"],
  ["/events", "Find"],
] as const)
  test(`a burst of events while ${path} is open`, { timeout: 600_000 }, async () => {
    const { page, context } = await rig.open("/start");
    page.setDefaultTimeout(300_000);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.addInitScript(`(${WATCH})()`);
    await page.goto(ORIGIN + path);
    await page.getByRole("status").filter({ hasText: "Live" }).waitFor();
    if (path !== "/events") await page.evaluate("new Promise((resolve) => setTimeout(resolve, 15000))");
    if (field === "palette") await page.keyboard.press("/");
    else await page.getByRole("textbox", { name: field }).click();
    await page.waitForTimeout(1000);
    await page.evaluate("watched.start()");
    // As many machines as events are wanted are held, and the next second released: one event for each.
    const began = Date.now();
    let over = false;
    const events = (async () => {
      for (let second = 0; second < SECONDS; second += 1) {
        const from = Math.floor(second / 2) * RATE;
        const names = Array.from({ length: RATE }, (_, n) => `n${from + n + 1}`);
        const what = second % 2 === 0 ? { action: "hold", reason: "a burst" } : { action: "release" };
        const answer = await rig.ask("POST", "/api/v1/machines/actions", JSON.stringify({ ...what, names }));
        if (answer.status !== 200) throw new Error(answer.text.slice(0, 500));
        await new Promise((resolve) => setTimeout(resolve, began + 1000 * (second + 1) - Date.now()));
      }
    })().finally(() => (over = true));
    const sent = () => over;
    while (!sent()) {
      await page.keyboard.type("n1", { delay: 120 });
      await page.keyboard.press("Backspace");
      await page.keyboard.press("Backspace");
    }
    await events;
    const took = (Date.now() - began) / 1000;
    const seen = await page.evaluate<Seen>("watched.stop()");
    console.log(
      `${path}: ${seen.events} events in ${took.toFixed(1)} s (${Math.round(seen.events / took)}/s, at most ${seen.most} in a second); ` +
        `${seen.tasks.length} long tasks, the longest ${Math.round(Math.max(0, ...seen.tasks))} ms; longest gap between frames ` +
        `${Math.round(seen.gap)} ms, 95 % within ${Math.round(seen.usual)} ms; ${seen.keys.length} keys, the slowest painted after ` +
        `${Math.round(Math.max(0, ...seen.keys))} ms`,
    );
    await context.close();
  });

interface Seen {
  events: number;
  most: number;
  tasks: number[];
  gap: number;
  usual: number;
  keys: number[];
}

/** Counts what the stream brings, and how the page bears it. */
const WATCH = `() => {
  const came = [];
  const fetched = window.fetch;
  window.fetch = async (...asked) => {
    const answer = await fetched(...asked);
    if (!(answer.headers.get("content-type") ?? "").startsWith("text/event-stream")) return answer;
    const count = new TransformStream({ transform(bytes, out) {
      // Each message has one line of data.
      const n = new TextDecoder().decode(bytes).split("\\ndata:").length - 1;
      for (let i = 0; i < n; i += 1) came.push(performance.now());
      out.enqueue(bytes);
    } });
    return new Response(answer.body.pipeThrough(count), answer);
  };
  const tasks = [], keys = [], gaps = [];
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => tasks.push([entry.startTime, entry.duration])))
    .observe({ type: "longtask" });
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
    if (entry.name === "keydown") keys.push([entry.startTime, entry.duration]);
  })).observe({ type: "event", durationThreshold: 16 });
  let from = 0, last = 0;
  const frame = (now) => { if (from > 0 && last > 0) gaps.push(now - last); last = now; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
  window.watched = {
    start() { from = performance.now(); gaps.length = 0; last = 0; },
    stop() {
      const since = (list) => list.filter(([at]) => at >= from).map(([, took]) => took);
      const times = came.filter((at) => at >= from);
      const seconds = new Map();
      for (const at of times) { const s = Math.floor((at - from) / 1000); seconds.set(s, (seconds.get(s) ?? 0) + 1); }
      const sorted = gaps.sort((a, b) => a - b);
      return { events: times.length, most: Math.max(0, ...seconds.values()), tasks: since(tasks), keys: since(keys),
        gap: sorted.at(-1) ?? 0, usual: sorted[Math.floor(sorted.length * 0.95)] ?? 0 };
    },
  };
}`;

/** Types a text at once, and waits until what is shown was painted. */
const FILTER = `async (text) => {
  const input = [...document.querySelectorAll("input")].find((one) => one.placeholder.startsWith("Name, MAC"));
  const table = document.querySelector("[role=table]") ?? document.body;
  const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
  const changed = new Promise((resolve) => new MutationObserver((_, observer) => { observer.disconnect(); resolve(); })
    .observe(document.querySelector(".page [role=status]"), { subtree: true, characterData: true, childList: true }));
  const began = performance.now();
  set.call(input, text);
  input.dispatchEvent(new Event("input", { bubbles: true }));
  await changed;
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  return performance.now() - began;
}`;

/** Five seconds of a fast wheel. */
const SCROLL = `async () => {
  const table = document.querySelector("[role=table]");
  const frames = [];
  let last = performance.now();
  for (let n = 0; n < 300; n += 1) {
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - last);
    last = now;
    table.scrollTop += 240;
  }
  return frames.slice(1);
}`;
