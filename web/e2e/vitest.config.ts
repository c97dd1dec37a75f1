import { defineConfig } from "vitest/config";

/** Stories in a real browser against a real daemon: each file has one of its own, and they do not run beside each other. */
export default defineConfig({
  cacheDir: "../node_modules/.vite",
  test: {
    root: import.meta.dirname,
    include: [process.env.E2E_FILES ?? "*.e2e.ts"],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
