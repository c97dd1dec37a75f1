import { describe, expect, test } from "vitest";
import type { Machine } from "../api/client";
import { contains, network, range, toNumber } from "./address";
import { refusal } from "./action";
import { curl, quoted } from "./code";
import { diff } from "./diff";
import { field, rowOf, sorted, vocabulary } from "./row";
import { completions, holds, parseSelector } from "./selector";
import { Messages } from "./sse";
import { csv } from "./table";
import { bytes, span, utc } from "./time";

const machine = (name: string, more: Partial<Machine> = {}): Machine => ({
  id: name,
  kind: "Machine",
  name,
  labels: {},
  spec: { macs: ["52:54:00:00:00:01"] },
  stage: "ready",
  since: "2026-11-24T00:00:00Z",
  power: "unknown",
  hold: null,
  profile: null,
  facts: null,
  facts_at: null,
  seen: null,
  boot: null,
  revision: 1,
  ...more,
});

describe("selectors", () => {
  const takes = (selector: string, labels: Record<string, string>) => {
    const terms = parseSelector(selector);
    if (typeof terms === "string") throw new Error(terms);
    return holds(terms, (key) => labels[key]);
  };

  test("mean what the API means by them", () => {
    expect(takes("role=worker", { role: "worker" })).toBe(true);
    expect(takes("role=worker", { role: "master" })).toBe(false);
    expect(takes("rack!=r1", {})).toBe(true);
    expect(takes("gpu", { gpu: "" })).toBe(true);
    expect(takes("!spare, role!=x", { spare: "yes" })).toBe(false);
    expect(takes("", {})).toBe(true);
  });

  test.each(["a b", "=x", "a=", "!a=b", "a=b=c", "<script>"])("say what is wrong with %s", (text) => {
    expect(parseSelector(text)).toContain("is no selector term");
  });

  test("are completed from what there is", () => {
    const known = new Map([
      ["rack", new Set(["r1", "r2"])],
      ["role", new Set(["worker"])],
    ]);
    expect(completions("stage=failed,ra", known)).toEqual(["stage=failed,rack!=", "stage=failed,rack="]);
    expect(completions("rack=r", known)).toEqual(["rack=r1", "rack=r2"]);
    expect(completions("!ro", known)).toEqual(["!role"]);
  });
});

describe("server-sent events", () => {
  const read = (...pieces: string[]) => {
    const messages = new Messages();
    return pieces.flatMap((piece) => messages.take(piece));
  };

  test("are whole however the stream is cut", () => {
    const text = ': hello\r\nid: 7\r\nevent: machine\r\ndata: {"a":\r\ndata: 1}\r\n\r\nid: 8\r\ndata: x\r\n\r\n';
    const whole = read(text);
    expect(whole).toEqual([
      { id: "7", event: "machine", data: '{"a":\n1}' },
      { id: "8", event: "message", data: "x" },
    ]);
    for (let cut = 1; cut < text.length; cut += 1) expect(read(text.slice(0, cut), text.slice(cut))).toEqual(whole);
    expect(read(...text.split(""))).toEqual(whole);
  });

  test("have no message without data, and none before its end", () => {
    expect(read("id: 3\n\n: only a comment\n\ndata: late\n")).toEqual([]);
  });
});

describe("differences", () => {
  test("show what changed with lines around it", () => {
    const before = Array.from({ length: 20 }, (_, n) => `line ${n}`).join("\n");
    const after = before.replace("line 10", "line ten");
    expect(diff(before, after)).toEqual([
      "@@",
      " line 7",
      " line 8",
      " line 9",
      "-line 10",
      "+line ten",
      " line 11",
      " line 12",
      " line 13",
      "@@",
    ]);
    expect(diff(before, before)).toEqual([]);
    expect(diff("", "a\nb\n")).toEqual(["+a", "+b"]);
  });

  test("are the one text without what was added, and the other without what was taken", () => {
    const words = ["a", "b", "c", "a", "d"];
    let seed = 7;
    const chance = (n: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
    for (let round = 0; round < 300; round += 1) {
      const text = () => Array.from({ length: chance(6) }, () => words[chance(5)] ?? "").join("\n");
      const [one, two] = [text(), text()];
      const lines = diff(one, two);
      if (lines.includes("@@") || one === two) continue;
      const side = (sign: string) =>
        lines.filter((line) => line.startsWith(" ") || line.startsWith(sign)).map((line) => line.slice(1));
      expect(side("-").join("\n")).toBe(one);
      expect(side("+").join("\n")).toBe(two);
    }
  });
});

describe("rows", () => {
  test("are sorted as people count, and what has no value is last either way", () => {
    const rows = [machine("n10"), machine("n2"), machine("n1", { spec: { macs: [], serial: "S2" } })].map(rowOf);
    expect(sorted(rows, "name", false).map((row) => row.name)).toEqual(["n1", "n2", "n10"]);
    expect(sorted(rows, "serial", false)[0]?.name).toBe("n1");
    expect(sorted(rows, "serial", true)[0]?.name).toBe("n1");
  });

  test("are found by what a machine is known by", () => {
    const row = rowOf(machine("n1", { spec: { macs: ["52:54:00:AB:00:01"], serial: "XYZ", ip: "10.0.0.9" } }));
    for (const part of ["n1", "52:54:00:ab", "xyz", "10.0.0.9"]) expect(row.search).toContain(part);
  });

  test("know the fields of selectors before labels", () => {
    const row = rowOf(machine("n1", { stage: "failed", labels: { stage: "no", role: "worker" } }));
    expect([field(row, "stage"), field(row, "role"), field(row, "drift"), field(row, "none")]).toEqual([
      "failed",
      "worker",
      "false",
      undefined,
    ]);
    expect([...(vocabulary([row]).get("role") ?? [])]).toEqual(["worker"]);
  });
});

test("a button is off for the reason that the daemon would have", () => {
  const at = (stage: string, held = false, profiled = true) => ({ stage, held, profiled });
  expect(refusal("accept", at("discovered"))).toBeUndefined();
  expect(refusal("accept", at("active"))).toContain("active");
  expect(refusal("provision", at("discovered"))).toContain("accept it first");
  expect(refusal("provision", at("ready", false, false))).toContain("No group");
  expect(refusal("release", at("ready"))).toBeDefined();
  expect(refusal("retire", at("retired"))).toBeDefined();
});

test("commands can be pasted into a shell", () => {
  expect(quoted("it's")).toBe(`'it'\\''s'`);
  expect(quoted("a=b,c")).toBe("a=b,c");
  const call = curl({ what: "", method: "POST", path: "plan", body: { a: "$(x)" } }, "https://h");
  expect(call).toContain(`-d '{"a":"$(x)"}'`);
  expect(call).toContain("https://h/api/v1/plan");
});

test("a table for a spreadsheet holds no formula, and quotes what has to be", () => {
  expect(
    csv(
      ["a", "b"],
      [
        ["=1+1", 'x"y'],
        ["1,2", "z"],
      ],
    ),
  ).toBe(`a,b\r\n'=1+1,"x""y"\r\n"1,2",z\r\n`);
});

test("times and sizes are short", () => {
  expect([span(420), span(59_000), span(61_000), span(3 * 3_600_000), span(50 * 3_600_000)]).toEqual([
    "0.4 s",
    "59 s",
    "1 min",
    "3 h",
    "2 d",
  ]);
  expect([bytes(999), bytes(1500), bytes(123_456_789)]).toEqual(["999 B", "1.5 kB", "123 MB"]);
  expect(utc("2026-11-24T01:02:03.5Z")).toBe("2026-11-24 01:02:03.500 UTC");
});

test("addresses are drawn where they are", () => {
  expect(network("10.0.1.7/24")).toEqual({ from: toNumber("10.0.1.0"), to: toNumber("10.0.1.255") });
  expect(range("10.0.0.1-10.0.0.3")).toEqual({ from: 167772161, to: 167772163 });
  for (const bad of ["10.0.0.9-10.0.0.1", "x", "10.0.0.256"]) expect(range(bad)).toBeUndefined();
  expect(contains({ from: 1, to: 2 }, 2)).toBe(true);
  expect(network("fe80::/64")).toBeUndefined();
});
