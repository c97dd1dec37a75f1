// Beside each built file, what the daemon sends of it to clients that take it compressed.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const root = new URL("../dist/ui/", import.meta.url);
// index.html gets a nonce in each response, and is small.
const files = readdirSync(root, { recursive: true }).filter((name) => /\.(js|css|svg)$/.test(name));
for (const name of files) {
  const file = new URL(name, root);
  const plain = readFileSync(file);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length };
  writeFileSync(new URL(`${name}.br`, root), brotliCompressSync(plain, { params }));
  writeFileSync(new URL(`${name}.gz`, root), gzipSync(plain, { level: 9 }));
}
