import { DomainError } from "../../errors.ts";
import type { IdentityId } from "../../ids.ts";
import type { FlowClient } from "../../kinds.ts";
import type { Session } from "../../session/session.ts";
import type { FlowCaller } from "./flow.ts";

/**
 * The session of an account that the caller shows as clients of the flow's kind do; undefined if they show none, or that of
 * somebody else.
 */
export async function ownSession(
  caller: FlowCaller,
  client: FlowClient,
  identityId: IdentityId,
): Promise<Session | undefined> {
  const session = await anySession(caller, client);
  return session?.identityId === identityId ? session : undefined;
}

/** The session that the caller shows as clients of that kind do; undefined if they show none. */
export async function anySession(caller: FlowCaller, client: FlowClient): Promise<Session | undefined> {
  try {
    return (await caller.session(client)).session;
  } catch (error) {
    // What is wrong with a session that was shown does not matter here.
    const isNone =
      error instanceof DomainError &&
      (error.reason.startsWith("SESSION_") || error.reason === "ORIGIN_NOT_ALLOWED");
    if (isNone) return undefined;
    throw error;
  }
}
