import type { SessionId } from "../../ids.ts";
import { acceptedLogin } from "../../oauth2/accepted-login.ts";
import type { OAuth2Server } from "../../oauth2/oauth2-server.ts";
import type { Clock } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { LoginFlows } from "../login/login-flows.ts";
import type { FlowCaller, FlowCompleted, FlowRecord, OAuth2Origin } from "../shared/flow.ts";
import { ownSession } from "../shared/own-session.ts";
import { isTooOld } from "./decision.ts";

/** A session, as far as the OAuth2 server is told of it. */
type ToldSession = Parameters<typeof acceptedLogin>[0];

interface OAuth2HandOversDependencies {
  readonly oauth2: OAuth2Server;
  readonly logins: Pick<LoginFlows, "createHandOver">;
  readonly clock: Clock;
}

/** How the OAuth2 server is told of a login that it asked for, and where the browser goes then. */
export class OAuth2HandOvers {
  readonly #deps: OAuth2HandOversDependencies;

  constructor(deps: OAuth2HandOversDependencies) {
    this.#deps = deps;
  }

  /**
   * Tells the OAuth2 server of a login or registration that completed, if it asked for that. The session is written by then: where
   * the server cannot be told, a login goes on that does nothing else.
   */
  async after<Outcome extends { readonly kind: string }>(
    caller: FlowCaller,
    flow: FlowRecord | undefined,
    outcome: Outcome,
  ): Promise<Outcome> {
    const oauth2 = flow?.data.oauth2;
    if (flow === undefined || oauth2 === undefined || !isCompleted(outcome)) return outcome;
    const { completed } = outcome;
    // By another flow, which this one has gone on with.
    if (completed.isHandedOver) return outcome;
    const { session } = completed;
    const told = await this.tell(caller.tenant, oauth2, session);
    if (told !== undefined) {
      return { ...outcome, completed: { ...completed, returnTo: told, isHandedOver: true } };
    }
    const start = { client: flow.client, returnTo: flow.returnTo, oauth2 };
    const handOver = await this.#deps.logins.createHandOver(caller, start, session);
    return { ...outcome, completed: { ...completed, handOver, isHandedOver: true } };
  }

  /**
   * Tells the OAuth2 server again of the session that a login gave. `ended`: that session is not there any more, or has become too old
   * for the request.
   *
   * Security rule (SR-OAUTH-4): another session of the same account may be older, or worth less, than was asked for.
   */
  async again(
    caller: FlowCaller,
    { client, identityId, data: { oauth2 } }: FlowRecord,
    sessionId: SessionId,
  ): Promise<
    | { readonly kind: "told"; readonly url: string }
    | { readonly kind: "ended" }
    | { readonly kind: "unavailable" }
  > {
    const session = identityId && (await ownSession(caller, client, identityId));
    if (session?.id !== sessionId || oauth2 === undefined) return { kind: "ended" };
    if (isTooOld(session, oauth2.maxAgeMs, this.#deps.clock.now())) return { kind: "ended" };
    const url = await this.tell(caller.tenant, oauth2, session);
    return url === undefined ? { kind: "unavailable" } : { kind: "told", url };
  }

  /**
   * Tells the OAuth2 server of a session, and gives the address at which the browser goes on. Undefined if the server cannot be told
   * now.
   *
   * Security rule (SR-OAUTH-4): less than was asked for is never handed over as what was asked for.
   */
  async tell(
    tenant: Tenant,
    { challenge, requestUrl, subject, level }: OAuth2Origin,
    session: ToldSession,
  ): Promise<string | undefined> {
    const { oauth2, clock } = this.#deps;
    // The OAuth2 server knows somebody else in this browser, whom it forgets with `prompt=login`.
    if (subject !== undefined && subject !== session.identityId) return forAnyAccount(requestUrl);
    const answer =
      level === "aal2" && session.assuranceLevel !== "aal2"
        ? await oauth2.rejectLogin(tenant, challenge, "unmet_authentication_requirements")
        : await oauth2.acceptLogin(
            tenant,
            challenge,
            acceptedLogin(session, tenant.settings.session, clock.now()),
          );
    switch (answer.kind) {
      case "answered":
        return answer.url;
      // Answered in another tab, or too old: the request begins again, and finds the session.
      case "gone":
        return requestUrl;
      case "unavailable":
        return undefined;
      default:
        return answer satisfies never;
    }
  }
}

function isCompleted(outcome: {
  readonly kind: string;
}): outcome is { readonly kind: "completed"; readonly completed: FlowCompleted } {
  return outcome.kind === "completed";
}

/** The address at which a request begins again for whatever account signs in (OpenID Connect Core 1.0, section 3.1.2.1). */
function forAnyAccount(requestUrl: string): string {
  const url = new URL(requestUrl);
  url.searchParams.set("prompt", "login");
  return url.href;
}
