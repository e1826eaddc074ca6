export default {
  plugins: ["@stryker-mutator/vitest-runner"],
  testRunner: "vitest",
  vitest: { configFile: "test/mutants/vitest.config.ts", related: false },
  tsconfigFile: "no-tsconfig.json",
  tempDirName: ".cache/mutants/sandbox",
  coverageAnalysis: "perTest",
  mutator: { excludedMutations: ["StringLiteral"] },
  ignorePatterns: ["/.cache", "/dist", "/ui", "/bench", "/test/fixtures", "/test/foreign"],
  reporters: ["clear-text", "html", "json"], timeoutMS: 15000,
  htmlReporter: { fileName: ".cache/mutants/report.html" },
  jsonReporter: { fileName: ".cache/mutants/report.json" },
  concurrency: 1,
};
