// SPDX-License-Identifier: Apache-2.0
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { AssuranceLevel } from "../../../../gen/ostiary/option/v1/demand_pb.js";
import { type SessionSchema, SessionState } from "../../../../gen/ostiary/session/v1/session_pb.js";
import {
  CheckSessionResponseSchema,
  SessionView,
} from "../../../../gen/ostiary/session/v1/session_service_pb.js";
import { vouchedFor } from "./vouched.ts";

const hour = 3_600_000;
const start = Date.parse("2026-01-01T00:00:00Z");
const session = {
  id: "s",
  identityId: "i",
  state: SessionState.ACTIVE,
  assuranceLevel: AssuranceLevel.AAL1,
};
const identity = { id: "i" };

// Security rule (SR-SDK-3): an answer that is empty, half, or contradicts itself lets nobody in.
describe("an answer of CheckSession", () => {
  test.each<[string, MessageInitShape<typeof CheckSessionResponseSchema>]>([
    ["nothing", {}],
    ["an empty session and an empty identity", { session: {}, identity: {} }],
    ["no session", { identity }],
    ["a session without an id", { session: { ...session, id: "" }, identity }],
    ["a session of nobody", { session: { ...session, identityId: "" }, identity: { id: "" } }],
    ["a session of which it does not say whether it counts", { session: { ...session, state: 0 }, identity }],
    ["no identity", { session }],
    ["an empty identity", { session, identity: {} }],
    ["the identity of somebody else", { session, identity: { id: "j" } }],
  ])("vouches for nobody with %s", (_, answer) => {
    expect(() => vouch(answer)).toThrow(/the answer of CheckSession/);
  });

  test.each<[string, MessageInitShape<typeof SessionSchema>, string]>([
    ["is called revoked", { state: SessionState.REVOKED }, "SESSION_REVOKED"],
    ["is called expired", { state: SessionState.EXPIRED }, "SESSION_EXPIRED"],
    ["was revoked", { revokeTime: at(-hour) }, "SESSION_REVOKED"],
    ["ended before it was last used", { expireTime: at(0), lastUseTime: at(hour) }, "SESSION_EXPIRED"],
    ["ended when it began", { expireTime: at(0), createTime: at(0) }, "SESSION_EXPIRED"],
    ["ended in 1970", { expireTime: {}, createTime: at(0) }, "SESSION_EXPIRED"],
    ["says only that it is over", { expireTime: timestampFromMs(Date.now() - 1000) }, "SESSION_EXPIRED"],
  ])("refuses a session that %s", (_, more, reason) => {
    expect(() => vouch({ session: { ...session, ...more }, identity })).toThrow(
      expect.objectContaining({ status: 401, reason }),
    );
  });

  test("refuses a login that is weaker than what was demanded", () => {
    const refused = expect.objectContaining({ status: 401, reason: "SESSION_ASSURANCE_TOO_LOW" });
    expect(() => vouch({ session, identity }, AssuranceLevel.AAL2)).toThrow(refused);
    const unstated = { ...session, assuranceLevel: AssuranceLevel.UNSPECIFIED };
    expect(() => vouch({ session: unstated, identity }, AssuranceLevel.AAL1)).toThrow(refused);
  });

  // The clock of the app may be days ahead of Ostiary's: its own times count.
  test("is believed by Ostiary's own times, not by the clock of this machine", () => {
    const good = { ...session, createTime: at(0), lastUseTime: at(hour), expireTime: at(2 * hour) };
    expect(vouch({ session: good, identity }).session.id).toBe("s");
  });

  test("vouches for nobody where only a session was asked for, and it is nobody's", () => {
    const nobody = { session: { ...session, identityId: "" } };
    expect(() => vouch(nobody, AssuranceLevel.UNSPECIFIED, SessionView.BASIC)).toThrow(/has no session/);
  });

  test("gives no identity where none was asked for", () => {
    expect(
      vouch({ session, identity }, AssuranceLevel.UNSPECIFIED, SessionView.BASIC).identity,
    ).toBeUndefined();
    expect(vouch({ session, identity }).identity?.id).toBe("i");
  });
});

function at(ms: number) {
  return timestampFromMs(start + ms);
}

function vouch(
  answer: MessageInitShape<typeof CheckSessionResponseSchema>,
  assuranceLevel = AssuranceLevel.UNSPECIFIED,
  view = SessionView.FULL,
) {
  return vouchedFor(create(CheckSessionResponseSchema, answer), { assuranceLevel, view });
}
