import { describe, expect, test } from "vitest";
import type { Boot, Event } from "../api/client";
import { cause, grouped } from "./failed";
import { merged } from "./moments";
import { linkBytes, milliseconds, place } from "./queue";
import { forbids } from "./rights";
import { parts, readViews, withView } from "./views";

const boot = (machine: string, more: Partial<Boot> = {}): Boot => ({
  id: machine,
  machine,
  mac: "52:54:00:00:00:01",
  address: null,
  started: "2026-11-24T00:00:00Z",
  ended: null,
  outcome: null,
  decision: {},
  phases: [],
  ...more,
});

const phase = (name: "script" | "kernel", detail: string) => ({
  phase: name,
  started: "2026-11-24T00:00:00Z",
  last: "2026-11-24T00:00:00Z",
  ended: null,
  bytes: 0,
  requests: 1,
  detail,
});

describe("rights", () => {
  const rule = { verbs: ["hold", "get"], kinds: ["Machine"], selector: "rack=r1" };
  const of = (rack: string) => (key: string) => (key === "rack" ? rack : undefined);

  test("hold for what a rule's selector takes", () => {
    expect(forbids({ role: "r", rules: [rule] }, "hold", "Machine", of("r1"))).toBeUndefined();
    expect(forbids({ role: "r", rules: [rule] }, "hold", "Machine", of("r2"))).toBe("role");
    expect(forbids({ role: "r", rules: [rule] }, "retire", "Machine", of("r1"))).toBe("role");
    expect(forbids({ role: "r", rules: [{ verbs: ["*"], kinds: ["*"] }] }, "retire", "Machine")).toBeUndefined();
    // On some it is allowed.
    expect(forbids({ role: "r", rules: [rule] }, "hold", "Machine")).toBeUndefined();
    expect(forbids({ role: "r", rules: [rule] }, "hold", "Profile")).toBe("role");
  });

  test("are narrowed by the scope of a token", () => {
    const all = [{ verbs: ["*"], kinds: ["*"] }];
    expect(forbids({ role: "admin", rules: all, scope: { verbs: ["get"] } }, "hold", "Machine")).toBe("scope");
    expect(forbids({ role: "admin", rules: all, scope: { selector: "rack=r1" } }, "hold", "Machine", of("r2"))).toBe(
      "scope",
    );
    expect(forbids({ role: "admin", rules: all, scope: {} }, "hold", "Machine", of("r2"))).toBeUndefined();
  });
});

describe("saved views", () => {
  test("what was stored and is no view is left out", () => {
    expect(readViews(null)).toEqual([]);
    expect(readViews("{")).toEqual([]);
    expect(readViews('{"a": 1}')).toEqual([]);
    expect(readViews('[1, {"name": 2}, {"name": "a", "search": {"find": "x", "evil": "y", "sort": 3}}]')).toEqual([
      { name: "a", search: { find: "x" } },
    ]);
  });

  test("one of the same name is replaced, and they are in order", () => {
    const all = withView(
      [
        { name: "b", search: {} },
        { name: "a", search: {} },
      ],
      { name: "b", search: { find: "n1" } },
    );
    expect(all).toEqual([
      { name: "a", search: {} },
      { name: "b", search: { find: "n1" } },
    ]);
  });

  test("are the part of the address that makes a view", () => {
    expect(parts({ find: "n1", act: "hold", columns: "", selector: undefined })).toEqual({ find: "n1" });
  });
});

describe("storms", () => {
  test("who waits has a place", () => {
    const waits = boot("n1", { phases: [phase("script", "its turn to load comes after 4 others")] });
    expect(place(waits)).toBe(5);
    expect(place(boot("n1", { phases: [phase("script", "worker@1")] }))).toBeUndefined();
    expect(
      place(boot("n1", { phases: [phase("script", "its turn to load comes after 4 others"), phase("kernel", "")] })),
    ).toBeUndefined();
    expect(place(undefined)).toBeUndefined();
  });

  test("lengths of time and rates are read as the API writes them", () => {
    expect(["90s", "10m", "1h", "2d", "soon", ""].map(milliseconds)).toEqual([
      90_000,
      600_000,
      3_600_000,
      172_800_000,
      undefined,
      undefined,
    ]);
    expect(["1Gbit", "100Mbit", "fast"].map(linkBytes)).toEqual([125_000_000, 12_500_000, undefined]);
  });
});

describe("failures", () => {
  const failed = (machine: string, why: string) => boot(machine, { outcome: { result: "failed", why } });

  test("of many machines for one reason are one", () => {
    const all = grouped([
      failed("n1", "nothing was seen for 600 s after kernel: it fetched the kernel; it said last: `panic 1`"),
      failed("n2", "nothing was seen for 602 s after kernel: it fetched the kernel"),
      failed("n1", "nothing was seen for 610 s after kernel: it fetched the kernel"),
      failed("n3", "the agent said so"),
      boot("n4"),
    ]);
    expect(all.map(({ why, boots }) => [why, boots.map((one) => one.machine)])).toEqual([
      ["silent after kernel: it fetched the kernel", ["n1", "n2"]],
      ["the agent said so", ["n3"]],
    ]);
  });

  test("keep their words otherwise", () => {
    expect(cause("<b>x</b>")).toBe("<b>x</b>");
  });
});

describe("the timeline", () => {
  const event = (seq: number, at: string, actor = "machine"): Event => ({
    seq,
    id: String(seq),
    at,
    kind: "boot.failed",
    object: "machine/n1",
    actor,
    boot: null,
    message: `m${seq}`,
    data: {},
  });

  test("has events and lines by time, newest first, each in its own order within a moment", () => {
    const lines = [
      { line: 1, at: "2026-11-24T00:00:01Z", severity: 3, tag: "kernel", text: "a" },
      { line: 2, at: "2026-11-24T00:00:01Z", text: "b" },
    ];
    const all = merged([event(9, "2026-11-24T00:00:02Z", "alice"), event(8, "2026-11-24T00:00:00Z")], lines);
    expect(all.map((moment) => moment.id)).toEqual(["9", "line-2", "line-1", "8"]);
    expect(all.map((moment) => moment.source)).toEqual(["people", "console", "console", "machine"]);
    expect(all[2]?.severe).toBe(true);
  });
});
