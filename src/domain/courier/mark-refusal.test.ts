import { expect, test } from "vitest";
import { holdMs, isOpenlyBounced, markRefusal } from "./mark-refusal.ts";

const now = new Date("2026-11-30T12:00:00Z");
const lately = new Date(now.getTime() - holdMs + 1);
const earlier = new Date(now.getTime() - holdMs);
const none = { bouncedAt: undefined, openAt: undefined, complainedAt: undefined };
const notices = ["password_changed", "invitation", "recovery_held"] as const;
const codes = ["login_code", "login_link", "recovery_code", "recovery_link"] as const;
const entries = [
  "registration_code",
  "registration_link",
  "registration_taken",
  "verification_code",
] as const;

// Security rule (SR-MAIL-8): what goes to any address is held back by what such mail has shown, and by nothing else.
test.each([
  ["nothing", none, [], []],
  ["mail of an account came back lately", { ...none, bouncedAt: lately }, [...notices, ...codes], []],
  ["mail of an account came back earlier", { ...none, bouncedAt: earlier }, notices, []],
  [
    "mail came back that any address gets",
    { ...none, bouncedAt: lately, openAt: lately },
    [...notices, ...codes, ...entries],
    [],
  ],
  ["it did so earlier", { ...none, bouncedAt: earlier, openAt: earlier }, notices, []],
  ["its reader complained", { ...none, complainedAt: earlier }, [], notices],
] as const)("with the mark that %s", (_, mark, bounced, complained) => {
  const all = [...notices, ...codes, ...entries];
  const refused = (reason: string) =>
    all.filter((template) => markRefusal({ mark, template }, now)?.reason === reason);
  expect(refused("address_bounced")).toEqual(bounced);
  expect(refused("address_complained")).toEqual(complained);
  expect(isOpenlyBounced(mark, now)).toBe(mark.openAt === lately);
});

test("an address without a mark gets everything", () => {
  expect(markRefusal({ mark: undefined, template: "password_changed" }, now)).toBeUndefined();
  expect(isOpenlyBounced(undefined, now)).toBe(false);
});
