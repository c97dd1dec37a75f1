import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** `npm run dev` asks the daemon at PILOTLIGHT_URL, whose certificate need not be known here. */
const daemon = process.env.PILOTLIGHT_URL ?? "https://localhost:8443";
const asked = { target: daemon, secure: false, changeOrigin: true };

/** The ETag that a daemon of this version gives the document of its API. */
const document = readFileSync(new URL("../docs/openapi.json", import.meta.url));
const api = createHash("sha256").update(document).digest("hex").slice(0, 16);

export default defineConfig({
  plugins: [react()],
  define: { __API__: JSON.stringify(api) },
  build: {
    outDir: "dist/ui",
    emptyOutDir: true,
    target: "es2023",
    // A data: URL would need a hole in the policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": asked, "/sign-in": asked, "/sign-out": asked, "/status": asked } },
});
