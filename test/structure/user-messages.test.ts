import { readFileSync } from "node:fs";
import { getOption } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { Listener, service as serviceOption } from "../../gen/ostiary/option/v1/option_pb.js";
import { services } from "../../src/app-services.ts";
import { type ErrorReason, errorReasons, errorTexts } from "../../src/domain/errors.ts";
import * as texts from "../../src/domain/user-message/user-messages.ts";

/** Reasons of the public listener that a person can do nothing about: the program that meets them is wrong, or gone. */
const programsOnly: readonly ErrorReason[] = [
  ...([
    "REQUEST_MALFORMED",
    "REQUEST_CANCELED",
    "METHOD_UNKNOWN",
    "REQUEST_ID_REUSED",
    "SCHEMA_NOT_FOUND",
  ] as const),
  ...([
    "ACCESS_UNDECLARED",
    "SERVER_STOPPING",
    "STREAM_IDLE",
    "FEATURE_OFF",
    "POSITION_NOT_INCLUDED",
  ] as const),
];

/** Reasons of the admin listener alone. */
const operatorsOnly: readonly ErrorReason[] = [
  ...(["TRAITS_INVALID", "PASSWORD_REJECTED", "PASSWORD_HASH_UNSUPPORTED", "IDENTIFIER_TAKEN"] as const),
  ...(["EXTERNAL_ID_TAKEN", "IDENTITY_NOT_FOUND", "CREDENTIAL_NOT_FOUND"] as const),
  ...(["CREDENTIAL_TAKEN", "CREDENTIALS_TOO_MANY"] as const),
  ...(["ETAG_MISMATCH", "API_KEY_MISSING", "API_KEY_MALFORMED", "API_KEY_KIND_MISMATCH"] as const),
  ...(["API_KEY_UNKNOWN", "API_KEY_EXPIRED", "API_KEY_REVOKED", "CLIENT_CERTIFICATE_UNKNOWN"] as const),
  ...(["API_KEY_SCOPE_MISSING", "API_KEY_SCOPE_EXCEEDED", "API_KEY_EXPIRY_EXCEEDED"] as const),
  ...(["API_KEY_NOT_FOUND", "MESSAGE_NOT_FOUND", "MESSAGE_NOT_RETRYABLE"] as const),
  ...(["ADDRESS_MARK_NOT_FOUND", "ARRIVAL_REPORT_REFUSED"] as const),
  ...(["MESSAGE_NOT_READDRESSABLE", "IDENTITY_INACTIVE", "ADDRESS_NOT_USABLE", "UI_URL_MISSING"] as const),
  ...(["LINKS_DISABLED", "INVITATION_NOT_FOUND", "INVITATION_NOT_PENDING", "PROVIDER_NOT_FOUND"] as const),
  ...(["PROVIDER_TOKENS_NOT_KEPT", "PROVIDER_TOKENS_EXPIRED", "PROVIDER_UNAVAILABLE"] as const),
];

const withoutSentence = new Set<string>([...programsOnly, ...operatorsOnly]);

describe("what a person is told", () => {
  test.each(errorReasons)(
    "%s has a sentence with a number, or is on one list of those that need none",
    (reason) => {
      expect(errorTexts[reason].user === undefined).toBe(withoutSentence.has(reason));
    },
  );

  test("is there for each reason that the comment of a public method names", () => {
    const open = new Set<string>([...programsOnly]);
    const named = publicReasons().filter((reason) => !open.has(reason));
    expect(named).toContain("RATE_LIMITED");
    expect(named.filter((reason) => errorTexts[reason as ErrorReason].user === undefined)).toEqual([]);
  });

  test("has the same number only where it is the same sentence, and no number of a form's message", () => {
    const sentences = errorReasons.flatMap((reason) => errorTexts[reason].user ?? []);
    const byId = new Map(sentences.map(({ id, text }) => [id, text]));
    for (const { id, text } of sentences) expect(byId.get(id)).toBe(text);
    expect(new Set(byId.values()).size).toBe(byId.size);
    const source = readFileSync("src/domain/user-message/user-messages.ts", "utf8");
    expect(Object.keys(texts).length).toBeGreaterThan(50);
    for (const id of byId.keys()) expect(source).not.toContain(String(id));
  });

  test("names only values that the error has", () => {
    for (const reason of errorReasons) {
      const { user, metadata } = errorTexts[reason];
      const names = [...(user?.text ?? "").matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
      for (const name of names) {
        expect(name).toMatch(/^[a-z]+(_[a-z]+)*$/);
        expect(metadata).toContain(name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()));
      }
    }
  });

  test("has numbers that never change", () => {
    const numbers = errorReasons.flatMap((reason) => {
      const id = errorTexts[reason].user?.id;
      return id === undefined ? [] : [[reason, id]];
    });
    expect(Object.fromEntries(numbers)).toMatchInlineSnapshot(`
      {
        "BREACH_CHECK_UNAVAILABLE": 9000520,
        "CSRF_TOKEN_INVALID": 9000511,
        "CSRF_TOKEN_MISSING": 9000511,
        "DATABASE_UNAVAILABLE": 9000505,
        "FLOW_CHANGED": 9000522,
        "FLOW_CLIENT_MISMATCH": 9000510,
        "FLOW_COMPLETED": 9000509,
        "FLOW_IDENTITY_MISMATCH": 9000530,
        "FLOW_NOT_FOUND": 9000508,
        "HEADERS_TOO_LARGE": 9000529,
        "INTERNAL": 9000500,
        "INVITATION_INVALID": 9000528,
        "INVITATION_REQUIRED": 9000527,
        "LINK_INVALID": 9000521,
        "OAUTH2_CHALLENGE_INVALID": 9000540,
        "OAUTH2_SERVER_UNAVAILABLE": 9000541,
        "ORIGIN_NOT_ALLOWED": 9000507,
        "PAGE_TOKEN_INVALID": 9000504,
        "RATE_LIMITED": 9000526,
        "RECOVERY_DISABLED": 9000524,
        "REGISTRATION_DISABLED": 9000513,
        "REQUEST_INVALID": 9000501,
        "REQUEST_TIMEOUT": 9000503,
        "REQUEST_TOO_LARGE": 9000502,
        "RETURN_TO_NOT_ALLOWED": 9000512,
        "SERVER_OVERLOADED": 9000506,
        "SESSION_ACTIONS_PENDING": 9000534,
        "SESSION_ADDRESS_UNVERIFIED": 9000533,
        "SESSION_ASSURANCE_TOO_LOW": 9000517,
        "SESSION_AUTHENTICATION_TOO_OLD": 9000518,
        "SESSION_COOKIE_AMBIGUOUS": 9000531,
        "SESSION_CREDENTIAL_MISSING": 9000514,
        "SESSION_EXPIRED": 9000515,
        "SESSION_METHOD_INSUFFICIENT": 9000532,
        "SESSION_NOT_FOUND": 9000519,
        "SESSION_REVOKED": 9000516,
        "SESSION_TOKEN_KIND_MISMATCH": 9000514,
        "SESSION_TOKEN_MALFORMED": 9000514,
        "SESSION_TOKEN_UNKNOWN": 9000514,
        "STEP_NOT_OFFERED": 9000525,
        "STEP_UP_IMPOSSIBLE": 9000401,
        "VERIFICATION_DISABLED": 9000523,
      }
    `);
  });
});

/** The reasons that the comments of the public services' methods name as errors. */
function publicReasons(): string[] {
  const named = services
    .filter((service) => getOption(service, serviceOption).listener === Listener.PUBLIC)
    .flatMap(({ file }) => [
      ...readFileSync(`proto/${file.proto.name}`, "utf8").matchAll(/\/\/ Errors: ((?:.|\n\s*\/\/ )*)/g),
    ])
    .flatMap(([, comment = ""]) => comment.match(/\b[A-Z]+_[A-Z_]+\b/g) ?? []);
  const known = new Set<string>(errorReasons);
  return [...new Set(named)].filter((name) => known.has(name));
}
