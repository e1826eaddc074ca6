import { expect, test } from "vitest";
import type { EventType } from "../event/event.ts";
import { outdatedBy } from "./session-change.ts";

test("an event of a type that a newer server writes outdates all of its identity (SR-CACHE-1)", () => {
  expect(outdatedBy("identity.cloned" as EventType)).toBe("identity");
});

test("an event of a login that failed outdates nothing: anybody can cause it", () => {
  expect(outdatedBy("login.failed")).toBe("nothing");
  expect(outdatedBy("login.throttled")).toBe("nothing");
});
