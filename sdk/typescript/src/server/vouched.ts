// SPDX-License-Identifier: Apache-2.0
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type { IdentityProfile } from "../../../../gen/ostiary/identity/v1/identity_pb.js";
import type { AssuranceLevel } from "../../../../gen/ostiary/option/v1/demand_pb.js";
import { type Session, SessionState } from "../../../../gen/ostiary/session/v1/session_pb.js";
import {
  type CheckSessionResponse,
  SessionView,
} from "../../../../gen/ostiary/session/v1/session_service_pb.js";
import type { ErrorReasonName } from "../errors.ts";
import { SessionRefusedError } from "./refusal.ts";

/** What was asked for, and must be in the answer. */
export interface Asked {
  /** The least level; unspecified: any. */
  readonly assuranceLevel: AssuranceLevel;
  readonly view: SessionView;
}

/** What an answer says once it was looked at. */
export interface Vouched {
  readonly session: Session;
  /** Undefined if it was not asked for, even if it came. */
  readonly identity: IdentityProfile | undefined;
}

/**
 * What an answer of CheckSession vouches for.
 *
 * Security rule (SR-SDK-3): an answer that is empty, half, or contradicts itself or the question lets nobody in. Ostiary refuses by
 * error, so a server that answers like this is a broken one, an older one, or none of Ostiary's.
 */
export function vouchedFor(
  { session, identity }: CheckSessionResponse,
  { assuranceLevel, view }: Asked,
): Vouched {
  if (session === undefined || session.id === "" || session.identityId === "") {
    throw new Error("the answer of CheckSession has no session");
  }
  const { state } = session;
  if (state === SessionState.REVOKED || session.revokeTime !== undefined) {
    throw over("SESSION_REVOKED", "The session was ended.");
  }
  if (state === SessionState.EXPIRED || isOver(session))
    throw over("SESSION_EXPIRED", "The session has expired.");
  if (state !== SessionState.ACTIVE)
    throw new Error("the answer of CheckSession does not say that the session counts");
  if (session.assuranceLevel < assuranceLevel) {
    throw over("SESSION_ASSURANCE_TOO_LOW", "The login was not strong enough.");
  }
  if (view === SessionView.BASIC) return { session, identity: undefined };
  if (identity === undefined || identity.id === "" || identity.id !== session.identityId) {
    throw new Error("the answer of CheckSession does not say whose session it is");
  }
  return { session, identity };
}

/**
 * By Ostiary's own times as far as there are any: the latest thing that has happened is the least that its clock can
 * show. The clock of this machine may be fast, and would turn good sessions away.
 */
function isOver({ expireTime, createTime, updateTime, authenticateTime, lastUseTime }: Session): boolean {
  if (expireTime === undefined) return false;
  const past = [createTime, updateTime, authenticateTime, lastUseTime].filter(isGiven).map(timestampMs);
  return timestampMs(expireTime) <= (past.length === 0 ? Date.now() : Math.max(...past));
}

function isGiven(time: Timestamp | undefined): time is Timestamp {
  return time !== undefined;
}

function over(reason: ErrorReasonName, message: string): SessionRefusedError {
  return new SessionRefusedError({ status: 401, reason, message, remedy: "Log in again." });
}
