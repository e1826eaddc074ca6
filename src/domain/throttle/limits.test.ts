import { describe, expect, test } from "vitest";
import { actionLimits, limitRules, watchedLimits } from "./limits.ts";

const names = Object.keys(limitRules) as (keyof typeof limitRules)[];
const of = (wanted: (rule: (typeof limitRules)[keyof typeof limitRules]) => boolean) =>
  names.filter((name) => wanted(limitRules[name]));

// Security rule (SR-LIMIT-2): no counter is shared by strangers and the owner of an account.
test("what an owner needs is counted apart from strangers (SR-LIMIT-2)", () => {
  expect(of(({ who }) => who === "owner")).toEqual([
    ...["device", "device_daily", "own_recipient", "own_recipient_daily"],
    ...["own_recipient_total", "own_messages", "own_wrong_codes"],
  ]);
  expect(of(({ who }) => who === "everybody")).toEqual(["flow", "registration", "registration_mailbox"]);
});

// Security rule (SR-ENUM-9): a counter that several names of an account share must not be seen.
test("what several names of an account share refuses in silence (SR-ENUM-9)", () => {
  expect(of(({ isSilent }) => isSilent === true)).toEqual([
    ...["identity_daily", "mailbox", "registration_mailbox", "wrong_codes", "own_wrong_codes"],
  ]);
  expect(of((rule) => !("isSilent" in rule) || rule.isSilent === true)).toEqual(names);
});

test("only what counts wrong secrets is emptied by a success, and only failures count by IP address", () => {
  expect(of(({ onSuccess }) => onSuccess === "reset")).toEqual([
    ...["account", "account_daily", "identity_daily", "device", "device_daily"],
    ...["wrong_codes", "own_wrong_codes"],
  ]);
  expect(of(({ onSuccess }) => onSuccess === "refund")).toEqual(["address"]);
});

describe("an action", () => {
  test("is guarded by the limits that are there for it", () => {
    expect(actionLimits).toEqual({
      login: ["address", "flow", "account", "account_daily", "identity_daily", "device", "device_daily"],
      password_check: ["account", "account_daily", "identity_daily"],
      code_check: ["flow", "wrong_codes", "own_wrong_codes"],
      link_check: ["flow"],
      late_check: ["address", "flow"],
      registration: ["registration", "flow"],
      registration_sending: ["registration", "flow", "sending", "registration_mailbox"],
      code_send: [
        ...["sending", "flow", "recipient", "recipient_daily", "recipient_total", "mailbox"],
        ...["registration_mailbox", "own_recipient", "own_recipient_daily", "own_recipient_total"],
        ...["holder_messages", "own_messages"],
      ],
    });
    const used = new Set(Object.values(actionLimits).flat());
    expect(names.filter((name) => !used.has(name))).toEqual([]);
  });

  test("looks at wrong codes where a code is sent or tried", () => {
    const both = ["wrong_codes", "own_wrong_codes"];
    expect(watchedLimits).toEqual({ code_check: both, code_send: both });
  });
});
