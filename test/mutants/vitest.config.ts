import { defineConfig } from "vitest/config";

/**
 * The tests that mutants are tried with: those of the files that `make mutants` names, without a server or a database. A
 * server test costs seconds a mutant.
 */
export default defineConfig({
  test: {
    include: [
      "src/crypto/{form-tokens,one-time-codes,tokens}.test.ts",
      "src/domain/{access,flow,method,session,throttle}/**/*.test.ts",
      "src/transport/{net,rpc}/**/*.test.ts",
      "test/structure/flow-tables.test.ts",
    ],
    environment: "node",
    // Workers that are begun anew for each file would take most of the time.
    isolate: false,
    expect: { requireAssertions: true },
  },
});
