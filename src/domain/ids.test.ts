import { expect, test } from "vitest";
import { type IdentityId, newId } from "./ids.ts";

test("an id is a UUIDv7 (RFC 9562, section 5.7) that begins with its time", () => {
  const id = newId<IdentityId>(new Date(0x017f22e279b0));
  // The time of the example in RFC 9562, appendix A.6.
  expect(id).toMatch(/^017f22e2-79b0-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("ids sort by the time they were made", () => {
  const early = newId<IdentityId>(new Date(1_000_000));
  const late = newId<IdentityId>(new Date(1_000_001));
  expect(early < late).toBe(true);
});

test("ids of the same moment differ", () => {
  const now = new Date();
  expect(new Set(Array.from({ length: 1000 }, () => newId<IdentityId>(now))).size).toBe(1000);
});
