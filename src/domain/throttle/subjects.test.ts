import { describe, expect, test } from "vitest";
import type { IdentityId } from "../ids.ts";
import type { LimitSubject } from "./limits.ts";
import { allowanceOf, identityKey, subjectOf, type ThrottleSubjects } from "./subjects.ts";

const id = "id-1" as IdentityId;
const own = Uint8Array.of(0xab, 0xcd);
const all: ThrottleSubjects = {
  clientIp: { clientIp: "2001:db8::1", isShared: false },
  flow: Uint8Array.of(1, 2),
  accounts: ["ada", "ada@example.com", "ada"],
  identityId: id,
  holder: id,
  recipient: "ada@example.com",
  purpose: "login",
  mailbox: "box@example.com",
  registrationMailbox: "ada+tag@example.com",
};
const ip = "2001:db8:0:0::/64";

describe("a limit counts", () => {
  test.each<[LimitSubject, readonly string[]]>([
    ["clientIp", [ip]],
    ["flow", ["0102"]],
    ["account", ["ada", "ada@example.com"]],
    ["identity", ["identity\0id-1"]],
    ["holder", ["id-1"]],
    ["own", ["abcd"]],
    ["mailbox", ["box@example.com"]],
    ["registrationMailbox", ["ada@example.com"]],
    ["recipient", ["ada@example.com"]],
    ["recipient+purpose", ["ada@example.com\0login"]],
    ["recipient+clientIp", [`ada@example.com\0${ip}`]],
    ["recipient+clientIp+purpose", [`ada@example.com\0${ip}\0login`]],
    ["own+recipient", ["abcd\0ada@example.com"]],
  ])("by %s", (by, subject) => {
    expect(subjectOf(by, all, own)).toEqual(subject);
    // What is not given is not counted.
    expect(subjectOf(by, {}, undefined)).toEqual([]);
  });

  test.each<[LimitSubject, keyof ThrottleSubjects]>([
    ["recipient+purpose", "purpose"],
    ["recipient+clientIp", "clientIp"],
    ["recipient+clientIp+purpose", "recipient"],
    ["own+recipient", "recipient"],
  ])("nothing by %s without %s", (by, name) => {
    expect(subjectOf(by, { ...all, [name]: undefined }, own)).toEqual([]);
  });

  test("nothing by what shows the owner where nothing does", () => {
    expect(subjectOf("own", all, undefined)).toEqual([]);
    expect(subjectOf("own+recipient", all, undefined)).toEqual([]);
  });

  test("clients who cannot be told apart by another subject than the proxy itself", () => {
    const shared = { clientIp: { clientIp: "192.0.2.1", isShared: true } };
    expect(subjectOf("clientIp", shared, undefined)).toEqual([`shared\0${shared.clientIp.clientIp}`]);
  });

  test.each([
    ["ada+tag@example.com", ["ada@example.com"]],
    ["ada+a+b@example.com", ["ada@example.com"]],
    ["ada+@example.com", ["ada@example.com"]],
    ["ada@example.com", []],
    ["ada@sub+domain.example", []],
    ["+4930123456", []],
  ])("the registrations of the mailbox of %s", (registrationMailbox, subject) => {
    expect(subjectOf("registrationMailbox", { registrationMailbox }, undefined)).toEqual(subject);
  });
});

// Security rule (SR-ENUM-10): an unknown name is counted where an identity would be counted by its id.
test("what counts for an identity counts for a name that nobody has (SR-ENUM-10)", () => {
  expect(identityKey(id, "ada")).toEqual(["identity\0id-1"]);
  expect(identityKey(undefined, "ada")).toEqual(["name\0ada"]);
  expect(identityKey(undefined, undefined)).toEqual([]);
  const nobody = { ...all, identityId: undefined };
  expect(subjectOf("identity", nobody, undefined)).toEqual(["name\0ada"]);
  expect(subjectOf("identity", { ...nobody, accounts: [] }, undefined)).toEqual(["name\0ada@example.com"]);
  expect(subjectOf("identity", { recipient: "ada" }, undefined)).toEqual(["name\0ada"]);
});

test("a limit by IP address allows more where one address stands for many clients", () => {
  const limit = { count: 5, periodMs: 1000 };
  const shared = { clientIp: { clientIp: "192.0.2.1", isShared: true } };
  const single = { clientIp: { clientIp: "192.0.2.1", isShared: false } };
  const wider = { count: 50, periodMs: 1000 };
  expect(allowanceOf(limit, "clientIp", shared, 10)).toEqual(wider);
  expect(allowanceOf(limit, "recipient+clientIp", shared, 10)).toEqual(wider);
  expect(allowanceOf(limit, "clientIp", single, 10)).toBe(limit);
  expect(allowanceOf(limit, "clientIp", {}, 10)).toBe(limit);
  expect(allowanceOf(limit, "account", shared, 10)).toBe(limit);
});
