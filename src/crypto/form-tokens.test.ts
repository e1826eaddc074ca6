import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { createFormTokens } from "./form-tokens.ts";

const formTokens = createFormTokens();

test("a form token is that of its browser and its flow", () => {
  const token = formTokens.make("browser", "flow").reveal();
  const digest = createHmac("sha256", "browser").update("ostiary form token\0flow").digest("base64url");
  expect(token).toBe(digest);
  expect(formTokens.matches(token, "browser", "flow")).toBe(true);
  expect(formTokens.matches(token, "other", "flow")).toBe(false);
  expect(formTokens.matches(token, "browser", "other")).toBe(false);
});

test.each(["", "x", "é", "A".repeat(43), "A".repeat(100_000)])("nothing else is: %s", (candidate) => {
  expect(formTokens.matches(candidate, "browser", "flow")).toBe(false);
});
