import { describe, expect, test } from "vitest";
import type { InputKind } from "./form.ts";
import { readFormValue } from "./form-value.ts";

describe("a box that says yes or nothing", () => {
  const box: InputKind = { kind: "input", type: "checkbox", isConsent: true };

  test.each([false, "false", "off", "0", "", null])("is empty with %j", (given) => {
    expect(readFormValue(box, given)).toBeNull();
  });

  test.each([true, "true", "on", "1"])("says yes with %j", (given) => {
    expect(readFormValue(box, given)).toBe(true);
  });

  test("leaves what is neither to the validation of traits", () => {
    expect(readFormValue(box, "perhaps")).toBe("perhaps");
    expect(readFormValue(box, 2)).toBe(2);
  });
});

test("a box for yes or no says no", () => {
  expect(readFormValue({ kind: "input", type: "checkbox" }, "off")).toBe(false);
  expect(readFormValue({ kind: "input", type: "checkbox" }, false)).toBe(false);
});
