import { copyFileSync } from "node:fs";
import { defineConfig } from "vite";
import { routes } from "./src/routes.ts";

export default defineConfig({
  base: "/ui/",
  resolve: {
    // The pages are written for React, and are drawn by Preact, which does the same for them in a tenth of the size.
    alias: [
      { find: /^react$/, replacement: "preact/compat" },
      { find: /^react-dom\/client$/, replacement: "preact/compat/client" },
      { find: /^react\/jsx-runtime$/, replacement: "preact/jsx-runtime" },
    ],
  },
  build: {
    // Nothing inline: the content security policy allows files of the server alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "baseline-widely-available",
  },
  plugins: [
    {
      // A file for each page, as the server serves them.
      name: "one-file-a-page",
      closeBundle() {
        for (const route of routes) if (route !== "") copyFileSync("dist/index.html", `dist/${route}.html`);
      },
    },
  ],
});
