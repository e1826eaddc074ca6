import { describe, expect, test } from "vitest";
import { findCookie } from "./cookies.ts";

const name = "__Host-ostiary_session";

describe("findCookie", () => {
  test("takes the blanks of RFC 6265 off a name and its value", () => {
    expect(findCookie(`a=b; \t${name} =\t1 ;c=d`, name)).toEqual({ kind: "value", value: "1" });
  });

  // Security rule: a browser keeps names with a prefix to https and to one host. A name that only becomes one when it is
  // trimmed by more than space and tab could come from any sibling host.
  test.each(["\u00a0", "\v", "\f", "\ufeff"])(
    "does not take a name with %j around it for the name",
    (blank) => {
      expect(findCookie(`${blank}${name}=1; ${name}${blank}=2`, name)).toEqual({ kind: "absent" });
    },
  );
});
