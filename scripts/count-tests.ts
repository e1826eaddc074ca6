// SPDX-License-Identifier: Apache-2.0
// Prints how many tests of vitest's JSON report passed and failed, as a line of its own. What is no test and failed all
// the same counts as one: a file that cannot be loaded, or a run that left no report at all. What failed is named here once
// more with its reason: of a long run people see the end.
import { existsSync, readFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";

/** What is read of the report. */
interface Report {
  readonly success: boolean;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: "passed" | "failed";
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      /** Of a test that was tried again, also those of the first try. */
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

const [file = ""] = process.argv.slice(2);
const { success, testResults }: Report = existsSync(file)
  ? JSON.parse(readFileSync(file, "utf8"))
  : { success: false, testResults: [] };

const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
const passed = tests.filter(({ status }) => status === "passed").length;
const failedTests = tests.filter(({ status }) => status === "failed").length;
const failedFiles = testResults.filter(
  ({ status, assertionResults }) =>
    status === "failed" && !assertionResults.some((result) => result.status === "failed"),
);
const failed = Math.max(failedTests + failedFiles.length, success ? 0 : 1);

for (const { name } of failedFiles) console.log(`could not be run: ${name}`);
for (const { status, fullName, failureMessages } of tests) {
  const [reason = ""] = failureMessages.map((message) => stripVTControlCharacters(message).slice(0, 600));
  if (status === "failed") console.log(`failed: ${fullName}: ${reason}`);
  else if (status !== "passed") console.log(`${status}: ${fullName}`);
  else if (reason) console.log(`passed at the second try: ${fullName}: ${reason}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
