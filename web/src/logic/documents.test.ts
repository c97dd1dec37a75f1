import { expect, test } from "vitest";
import { documentText, readDocuments } from "./documents";
import { keysAt } from "./keys";

const TEXT = `kind: Profile
name: worker
spec:
  image: live
  kernelArgs: [quiet, "bad arg"]
  files:
    etc/motd.txt: hello
  butane: |

    variant: fcos
    storage:
      files:
        - path: relative
---
kind: Group
name: g
`;

test("a mistake of the API has the line that it is on", () => {
  const { documents, mistakes, place } = readDocuments(TEXT);
  expect(mistakes).toEqual([]);
  expect(documents.map((document) => document.kind)).toEqual(["Profile", "Group"]);
  const line = (document: number, path: string, position?: [number, number]) =>
    place({ document, path, detail: "", ...(position === undefined ? {} : { position }) }).line;
  expect(line(0, "spec.image")).toBe(4);
  expect(line(0, "spec.kernelArgs[1]")).toBe(5);
  expect(line(0, "spec.files.etc/motd.txt")).toBe(7);
  expect(line(0, "spec.butane", [5, 11])).toBe(13);
  expect(line(1, "spec.profile")).toBe(15);
  const { from, to } = place({ document: 0, path: "spec.butane", position: [5, 13], detail: "" });
  expect(TEXT.slice(from, to)).toBe("relative");
  // What leads nowhere is shown nevertheless.
  expect(line(7, "spec")).toBe(1);
});

test("what is no YAML, and no document, is a mistake with its place", () => {
  expect(readDocuments("kind: [a\n").mistakes[0]?.line).toBeGreaterThan(0);
  expect(readDocuments("a: 1\na: 2\n").mistakes[0]?.detail).toContain("unique");
  expect(readDocuments("- a\n").mistakes[0]?.detail).toContain("expected");
  expect(readDocuments("").documents).toEqual([]);
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n`;
  expect(readDocuments(bomb).mistakes.length).toBe(1);
});

test("a resource is written as it would be declared, and read again", () => {
  const text = documentText({
    kind: "Group",
    name: "g",
    labels: {},
    spec: { profile: "p", match: { labels: { a: "b" } }, priority: null },
  });
  expect(text).not.toContain("priority");
  expect(text).not.toContain("\nlabels");
  expect(readDocuments(text).documents[0]).toEqual({
    kind: "Group",
    name: "g",
    spec: { profile: "p", match: { labels: { a: "b" } } },
  });
});

test("completion offers the keys that are missing, where they belong", () => {
  const schemas = { GroupSpecInput: { properties: { match: {}, profile: {} } } };
  expect(keysAt("kind: Group\nname: g\n", "", schemas)).toEqual(["labels", "spec"]);
  expect(keysAt("kind: Group\nname: g\nspec:\n  match: {}\n", "  ", schemas)).toEqual(["profile"]);
  expect(keysAt("kind: Group\nlabels:\n", "  ", schemas)).toEqual([]);
});

const SCHEMAS = {
  GroupSpecInput: { properties: { match: { $ref: "#/components/schemas/GroupMatch" }, profile: {} } },
  GroupMatch: { properties: { labels: {}, macs: {} } },
  ImageSpecInput: { properties: { initrd: { items: { $ref: "#/components/schemas/FileRef" } }, kernel: {} } },
  FileRef: { properties: { url: {}, sha256: {} } },
};

test("completion goes on below the first keys, in maps and in lists", () => {
  expect(keysAt("kind: Group\nspec:\n  match:\n    macs: []\n", "    ", SCHEMAS)).toEqual(["labels"]);
  expect(keysAt("kind: Image\nspec:\n  initrd:\n    - ", "    - ", SCHEMAS)).toEqual(["url", "sha256"]);
  expect(keysAt("kind: Image\nspec:\n  initrd:\n    - url: a\n", "      ", SCHEMAS)).toEqual(["sha256"]);
});

test("in a Butane text the keys are Butane's", () => {
  const head = "kind: Profile\nspec:\n  butane: |\n    variant: fcos\n    version: 1.5.0\n";
  expect(keysAt(head, "    ", {})).toContain("storage");
  expect(keysAt(head, "    ", {})).not.toContain("variant");
  expect(keysAt(`${head}    storage:\n`, "      ", {})).toContain("filesystems");
  const file = `${head}    storage:\n      files:\n        - path: /a\n`;
  expect(keysAt(file, "          ", {})).toContain("overwrite");
  expect(keysAt(file, "          ", {})).not.toContain("path");
  expect(keysAt(`${file}          contents:\n`, "            ", {})).toEqual(
    expect.arrayContaining(["inline", "source", "verification"]),
  );
  expect(
    keysAt(`${head}  cluster: a\n`, "  ", { ProfileSpecInput: { properties: { image: {}, butane: {} } } }),
  ).toEqual(["image"]);
});
