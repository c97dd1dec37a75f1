// What a browser loads before the first page is there: what index.html names, and what that imports at once. Fails beyond the budget.
import { readFileSync, statSync } from "node:fs";

const BUDGET = 300_000;
const root = new URL("../dist/ui/", import.meta.url);
const html = readFileSync(new URL("index.html", root), "utf8");
const first = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map((match) => match[1]);
const size = (name, ending) => statSync(new URL(name + ending, root)).size;
let brotli = 0;
let gzip = 0;
for (const name of first) {
  brotli += size(name, ".br");
  gzip += size(name, ".gz");
  console.log(`${name}: ${size(name, "")} bytes, brotli ${size(name, ".br")}, gzip ${size(name, ".gz")}`);
}
console.log(`first load: brotli ${brotli} bytes, gzip ${gzip}; the budget is ${BUDGET} for either`);
if (first.length === 0 || Math.max(brotli, gzip) > BUDGET) process.exit(1);
