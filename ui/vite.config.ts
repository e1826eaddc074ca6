import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { leaveOutServerOptions } from "../scripts/leave-out-options.ts";

const sdk = fileURLToPath(new URL("../sdk/typescript/src", import.meta.url));

/** The SDK as it is in this checkout, so that it need not be built first. */
export const sdkSources = [
  { find: /^@ostiary\/sdk$/, replacement: `${sdk}/index.ts` },
  { find: /^@ostiary\/sdk\/form$/, replacement: `${sdk}/form.ts` },
  { find: /^@ostiary\/sdk\/react$/, replacement: `${sdk}/react.tsx` },
  { find: /^@ostiary\/sdk\/texts\/(\w+)$/, replacement: `${sdk}/texts/$1.ts` },
  { find: /^@ostiary\/sdk\/v1\/(\w+)$/, replacement: `${sdk}/v1/$1.ts` },
] as const;

/** The pages are written for React, and are drawn by Preact, which does the same for them in a tenth of the size. */
const preact = [
  { find: /^react$/, replacement: "preact/compat" },
  { find: /^react-dom\/client$/, replacement: "preact/compat/client" },
  { find: /^react\/jsx-runtime$/, replacement: "preact/jsx-runtime" },
];

/** The generated contract, without the options that only servers read; as in the published SDK. */
const withoutServerOptions: Plugin = {
  name: "without-server-options",
  transform: {
    filter: { id: /\/gen\/ostiary\/.*\.js$/ },
    handler: (code) => leaveOutServerOptions(code),
  },
};

export default defineConfig({
  base: "/ui/",
  plugins: [withoutServerOptions],
  resolve: { alias: [...sdkSources, ...preact] },
  build: {
    // Nothing inline: the content security policy allows files of this server alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Browsers that have had updates within the last two years and a half.
    target: "baseline-widely-available",
  },
});
