import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

test("the daemon knows each page", () => {
  const daemon = readFileSync(new URL("../../server/src/http/ui.rs", import.meta.url), "utf8");
  const list = /const PAGES[^=]*=\s*&\[([^\]]*)\]/.exec(daemon)?.[1] ?? "";
  const known = [...list.matchAll(/"([a-z]+)"/g)].map((match) => match[1]);
  const routes = readFileSync(new URL("routes.tsx", import.meta.url), "utf8");
  const lists = routes.includes('(["profiles", "groups", "images"] as const)') ? ["profiles", "groups", "images"] : [];
  const here = [...routes.matchAll(/path: "\/([a-z]+)/g)].map((match) => match[1]).concat(lists);
  expect([...new Set(here)].sort()).toEqual(known.sort());
});
