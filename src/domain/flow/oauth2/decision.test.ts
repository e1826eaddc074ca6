import { expect, test } from "vitest";
import type { IdentityId } from "../../ids.ts";
import { decide } from "./decision.ts";

const now = new Date("2026-11-29T12:00:00Z");
const ada = "ada" as IdentityId;

type Request = Parameters<typeof decide>[0];
type Shown = NonNullable<Parameters<typeof decide>[1]>;

/** A session of Ada's, so many seconds old. */
function session(seconds: number, assuranceLevel: Shown["assuranceLevel"] = "aal1"): Shown {
  return { identityId: ada, authenticatedAt: new Date(now.getTime() - seconds * 1000), assuranceLevel };
}

function request(change: Partial<Request> = {}): Request {
  return { subject: undefined, prompts: [], maxAgeMs: undefined, level: undefined, ...change };
}

const none = ["none"];

test.each<[string, Request, Shown | undefined, string]>([
  ["nothing, of a stranger", request(), undefined, "sign_in"],
  ["nothing, of Ada", request(), session(9_999), "accept"],
  ["Ada, of Ada", request({ subject: ada }), session(0), "accept"],
  ["Ada, of a stranger", request({ subject: ada }), undefined, "sign_in"],
  ["somebody else, of Ada", request({ subject: "eve" }), session(0), "sign_in"],
  ["prompt=login, of a fresh session", request({ prompts: ["login"] }), session(0), "refresh"],
  ["prompt=login among others", request({ prompts: ["consent", "login"] }), session(0), "refresh"],
  ["prompt=consent", request({ prompts: ["consent"] }), session(0), "accept"],
  ["prompt=select_account", request({ prompts: ["select_account"] }), session(0), "sign_in"],
  ["max_age, at its end", request({ maxAgeMs: 60_000 }), session(60), "accept"],
  ["max_age, past it", request({ maxAgeMs: 60_000 }), session(61), "refresh"],
  ["max_age=0", request({ maxAgeMs: 0 }), session(1), "refresh"],
  ["aal1", request({ level: "aal1" }), session(0), "accept"],
  ["aal2, of one factor", request({ level: "aal2" }), session(0), "step_up"],
  ["aal2, of two factors", request({ level: "aal2" }), session(0, "aal2"), "accept"],
  ["aal2, of an old session", request({ level: "aal2", maxAgeMs: 0 }), session(1), "refresh"],
  ["silence, of Ada", request({ prompts: none }), session(0), "accept"],
  ["silence, of a stranger", request({ prompts: none }), undefined, "login_required"],
  ["silence, somebody else", request({ prompts: none, subject: "eve" }), session(0), "login_required"],
  ["silence, of an old session", request({ prompts: none, maxAgeMs: 0 }), session(1), "login_required"],
  ["silence, and two factors", request({ prompts: none, level: "aal2" }), session(0), "interaction_required"],
  [
    "silence, with what contradicts it",
    request({ prompts: [...none, "login"] }),
    session(0),
    "login_required",
  ],
  [
    "silence, and the choice of an account",
    request({ prompts: [...none, "select_account"] }),
    session(0),
    "accept",
  ],
])("a request for %s", (_, asked, shown, expected) => {
  const decision = decide(asked, shown, now);
  expect(decision.kind === "deny" ? decision.error : decision.kind).toBe(expected);
});
