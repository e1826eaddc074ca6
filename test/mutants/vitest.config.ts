import { defineConfig } from "vitest/config";

/**
 * The tests that mutants are tried with: those of the files that `make mutants` names, and none that needs a server, which
 * would cost seconds a mutant.
 */
export default defineConfig({
  test: {
    include: [
      "src/crypto/{form-tokens,tokens}.test.ts",
      "src/domain/{access,flow,method,session,throttle}/**/*.test.ts",
      "src/transport/{net,rpc}/**/*.test.ts",
      "test/structure/flow-tables.test.ts",
    ],
    environment: "node",
    testTimeout: 30_000,
    // As in the suite: workers that are begun anew for each file would take most of the time.
    isolate: false,
    expect: { requireAssertions: true },
  },
});
