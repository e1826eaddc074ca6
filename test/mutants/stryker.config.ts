/**
 * Mutation testing of the files that decide (`make mutants`, which names them): StrykerJS changes one thing at a time, and a
 * test should fail. What no test notices is printed, and shown in .cache/mutants/report.html.
 */
export default {
  testRunner: "vitest",
  plugins: ["@stryker-mutator/vitest-runner"],
  vitest: { configFile: "test/mutants/vitest.config.ts", related: false },
  // Each mutant is tried with the tests that run through it.
  coverageAnalysis: "perTest",
  // A file that is not there: TypeScript 7 has no API by which the settings of the compiler could be rewritten, and nothing has
  // to be compiled.
  tsconfigFile: "no-tsconfig.json",
  mutator: {
    // Texts become empty. Nearly all texts of these files are members of a union (`kind: "rejected"`), in whose place tsc takes
    // no other; or they are messages of errors, which no rule depends on. The few that are left, such as the prefixes of
    // tokens, have tests of their own.
    excludedMutations: ["StringLiteral"],
  },
  // Outside of git, as the reports are. The sandbox has what the tests read, and links to node_modules.
  tempDirName: ".cache/mutants/sandbox",
  cleanTempDir: "always",
  ignorePatterns: ["/.cache", "/.ostiary", "/dist", "/ui", "/bench", "/test/fixtures", "/test/foreign"],
  reporters: ["progress", "clear-text", "html", "json"],
  clearTextReporter: { logTests: false, reportTests: false, reportMutants: true },
  htmlReporter: { fileName: ".cache/mutants/report.html" },
  jsonReporter: { fileName: ".cache/mutants/report.json" },
  // A mutant that never ends is given up after this time and a half of what its tests usually take: no slow machine takes longer.
  timeoutMS: 15_000,
  thresholds: { high: 95, low: 90, break: 90 },
  warnings: { slow: false },
};
