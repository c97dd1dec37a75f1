// Holds the licence of every package in package-lock.json against what may be shipped, and what may be used to build.
import { readFileSync } from "node:fs";

const SHIPPED = [
  "MIT",
  "ISC",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "Apache-2.0",
  "0BSD",
  "CC0-1.0",
  "Unlicense",
  "BlueOak-1.0.0",
  "(MIT OR CC0-1.0)",
];
// MPL: axe and lightningcss run in builds and tests, and are not changed. CC-BY: data of build tools.
const USED = [...SHIPPED, "MPL-2.0", "CC-BY-4.0", "Python-2.0", "(AFL-2.1 OR BSD-3-Clause)"];
const lock = JSON.parse(readFileSync(new URL("../package-lock.json", import.meta.url), "utf8"));
let bad = 0;
let counted = 0;
for (const [path, about] of Object.entries(lock.packages)) {
  if (path === "") continue;
  counted += 1;
  const allowed = about.dev ? USED : SHIPPED;
  if (!allowed.includes(about.license ?? "none")) {
    bad += 1;
    console.error(
      `${path}: licence ${about.license ?? "none"} is not one that we ${about.dev ? "build with" : "ship"}`,
    );
  }
}
console.log(`${counted} packages looked at, ${bad} with a licence that does not fit`);
if (bad > 0) process.exit(1);
