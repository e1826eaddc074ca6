// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { codeIn } from "./code-entry.ts";

test.each([
  ["123456", "123456"],
  [" 123 456\n", "123456"],
  ["123-456", "123456"],
  ["Your code: 123 456. It expires in 10 minutes.", "123456"],
  ["123456 is your code, 123 456", "123456"],
  ["12345", undefined],
  ["1234567", undefined],
  ["the codes 123456 and 654321", undefined],
  ["12345678901234567890", undefined],
  ["", undefined],
])("of %j the code is %s", (text, code) => {
  expect(codeIn(text, 6)).toBe(code);
});
