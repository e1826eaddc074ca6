import { expect, test } from "vitest";
import { createCommonPasswords } from "./common-passwords.ts";

const common = createCommonPasswords();

test("knows the passwords that attackers try first, in any case", () => {
  for (const password of [
    "password",
    "12345678",
    "qwerty123",
    "Password1",
    "PASSW0RD",
    "iloveyou",
    "trustno1",
  ]) {
    expect(common.has(password), password).toBe(true);
  }
});

test("does not know what nobody has leaked, or what an object has by birth", () => {
  for (const password of ["correct horse battery staple", "", "__proto__", "constructor\0", "x7Kp2mQw9z"]) {
    expect(common.has(password), password).toBe(false);
  }
});
