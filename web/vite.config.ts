import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** `npm run dev` asks the daemon at PILOTLIGHT_URL, whose certificate need not be known here. */
const daemon = process.env.PILOTLIGHT_URL ?? "https://localhost:8443";
const asked = { target: daemon, secure: false, changeOrigin: true };

export default defineConfig({
  plugins: [react()],
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
