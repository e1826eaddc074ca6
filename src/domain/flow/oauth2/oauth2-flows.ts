import { DomainError } from "../../errors.ts";
import type { FlowClient } from "../../kinds.ts";
import type { LoginDenial, OAuth2LoginRequest, OAuth2Server } from "../../oauth2/oauth2-server.ts";
import { assertHasServer, refusalOf } from "../../oauth2/refusals.ts";
import type { Clock } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { LoginFlows, LoginStart } from "../login/login-flows.ts";
import type { RegistrationFlows, RegistrationStart } from "../registration/registration-flows.ts";
import type { CreatedFlow, FlowCaller, OAuth2Origin } from "../shared/flow.ts";
import type { FlowAccess } from "../shared/flow-access.ts";
import { anySession } from "../shared/own-session.ts";
import { decide } from "./decision.ts";
import type { OAuth2HandOvers } from "./hand-over.ts";

/** What a login request of the OAuth2 server comes to: a flow to fill in, or the address at which the browser goes on at once. */
export type BegunForOAuth2 =
  | { readonly kind: "flow"; readonly created: CreatedFlow }
  | { readonly kind: "redirect"; readonly url: string };

interface OAuth2FlowsDependencies {
  readonly access: FlowAccess;
  readonly oauth2: OAuth2Server;
  readonly handOvers: Pick<OAuth2HandOvers, "tell">;
  readonly logins: Pick<LoginFlows, "create">;
  readonly registrations: Pick<RegistrationFlows, "create">;
  readonly clock: Clock;
}

/** Logins and registrations that the OAuth2 server asks for. */
export class OAuth2Flows {
  readonly #deps: OAuth2FlowsDependencies;

  constructor(deps: OAuth2FlowsDependencies) {
    this.#deps = deps;
  }

  /**
   * Begins the login that a challenge asks for, or answers it by the session that the browser has. Throws FEATURE_OFF,
   * OAUTH2_CHALLENGE_INVALID, OAUTH2_SERVER_UNAVAILABLE.
   */
  async beginLogin(
    caller: FlowCaller,
    challenge: string,
    given: { readonly client: FlowClient } & Pick<LoginStart, "clientData">,
  ): Promise<BegunForOAuth2> {
    const { access, logins, handOvers, clock } = this.#deps;
    const { tenant } = caller;
    access.assertClient(caller, given.client);
    const request = await this.#read(tenant, challenge);
    const oauth2 = originOf(challenge, request);
    const session = await anySession(caller, given.client);
    const decision = decide(request, session, clock.now());
    if (decision.kind === "deny") return this.#deny(tenant, challenge, decision.error);
    if (decision.kind === "accept" && session !== undefined) {
      const url = await handOvers.tell(tenant, oauth2, session);
      if (url === undefined) throw refusalOf({ kind: "unavailable" });
      return { kind: "redirect", url };
    }
    const start = { ...given, returnTo: "", linkToken: "", oauth2 };
    if (decision.kind === "sign_in") {
      const typed = request.loginHint;
      return { kind: "flow", created: await logins.create(caller, { ...start, purpose: "sign_in", typed }) };
    }
    if (request.level !== "aal2") {
      return { kind: "flow", created: await logins.create(caller, { ...start, purpose: "refresh" }) };
    }
    const demands = [{ kind: "assurance_level", level: "aal2" } as const];
    const fromTheStart = decision.kind === "refresh";
    try {
      const stepUp = { ...start, purpose: "step_up", demands, fromTheStart } as const;
      return { kind: "flow", created: await logins.create(caller, stepUp) };
    } catch (error) {
      const isImpossible = error instanceof DomainError && error.reason === "STEP_UP_IMPOSSIBLE";
      // The application asked for it, and is told: the person can do nothing about it here.
      if (isImpossible) return this.#deny(tenant, challenge, "unmet_authentication_requirements");
      throw error;
    }
  }

  /** Begins the registration that a challenge asks for. Throws the errors of `beginLogin` and of a registration. */
  async beginRegistration(
    caller: FlowCaller,
    challenge: string,
    start: RegistrationStart,
  ): Promise<BegunForOAuth2> {
    const { access, registrations } = this.#deps;
    access.assertClient(caller, start.client);
    const request = await this.#read(caller.tenant, challenge);
    if (request.prompts.includes("none")) return this.#deny(caller.tenant, challenge, "login_required");
    const oauth2 = originOf(challenge, request);
    return { kind: "flow", created: await registrations.create(caller, { ...start, oauth2 }) };
  }

  async #read(tenant: Tenant, challenge: string): Promise<OAuth2LoginRequest> {
    assertHasServer(tenant, "login_challenge");
    const request = await this.#deps.oauth2.loginRequest(tenant, challenge);
    if (request.kind !== "found") throw refusalOf(request);
    return request;
  }

  async #deny(tenant: Tenant, challenge: string, error: LoginDenial): Promise<BegunForOAuth2> {
    const answer = await this.#deps.oauth2.rejectLogin(tenant, challenge, error);
    if (answer.kind !== "answered") throw refusalOf(answer);
    return { kind: "redirect", url: answer.url };
  }
}

/** What a flow remembers of the request. */
function originOf(
  challenge: string,
  { requestUrl, client, subject, level, maxAgeMs, prompts }: OAuth2LoginRequest,
): OAuth2Origin {
  const isAnew = prompts.includes("login") || maxAgeMs !== undefined;
  return { challenge, requestUrl, client, subject, level, maxAgeMs, ...(isAnew && { isAnew }) };
}
