import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { makeRunDirectory } from "./test/support/run-directory.ts";
import { sdkSources } from "./ui/vite.config.ts";

/** Long enough for a busy machine; what is there sooner is found sooner. */
const poll = { timeout: 10_000 };

// For this process, the workers and all that they start.
process.env.TMPDIR = makeRunDirectory();

export default defineConfig({
  test: {
    // More than there are cores: many tests wait for processes that start, stop or are killed.
    maxWorkers: Math.max(3, availableParallelism()),
    // Files of one worker share the modules that they import: a file of its own each costs 1 to 2 s of CPU time. Tests
    // therefore put back what they change of a process: variables, the clock, the working directory.
    isolate: false,
    projects: [
      {
        resolve: { alias: [...sdkSources] },
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "sdk/typescript/src/**/*.test.ts", "ui/src/**/*.test.ts"],
          environment: "node",
          testTimeout: 30_000,
          // A test that asserts nothing, for example because a loop had nothing to go over, cannot fail. Those of the server
          // also fail by waiting for what does not come.
          expect: { poll, requireAssertions: true },
        },
      },
      {
        test: {
          name: "server",
          include: ["test/**/*.test.ts"],
          environment: "node",
          globalSetup: ["test/support/global-setup.ts"],
          // By Node's own import: nothing of src, test and gen needs to be transformed, as `bin/ostiary` shows.
          experimental: { viteModuleRunner: false },
          // Several times what any takes on an idle machine: those that guess a hundred times are slow on a busy one.
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: { poll },
        },
      },
    ],
  },
});
