import { DomainError, domainError } from "../../errors.ts";
import type { Credential, Identity } from "../../identity/identity.ts";
import type { RequiredAction } from "../../identity/required-actions.ts";
import type { IdentityStore } from "../../identity/store.ts";
import type { IdentityId, SessionId } from "../../ids.ts";
import type { ChallengeKind, FlowClient, MethodKind } from "../../kinds.ts";
import { type Authentication, type LoginMethod, possibleProofs, stepOf } from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import type { Demand } from "../../session/demands.ts";
import type { AssuranceLevel } from "../../session/session.ts";
import { levelOf } from "../../session/sessions.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { Challenges } from "../challenge/challenges.ts";
import type { SecondFactors } from "../shared/second-factors.ts";
import { type ContextOf, type FlowTable, stateRule } from "../shared/table.ts";
import { decide, type FirstProofDecision, unmetDemand } from "./decision.ts";
import { reach } from "./demands.ts";
import { loginTarget } from "./identifier.ts";
import type { PendingActions } from "./pending-actions.ts";
import { demandedBy, type LoginPurpose, type LoginTypes } from "./state.ts";
import { methodsFor } from "./steps.ts";

/** The rule that says what a proof leads to. */
export type LoginRule =
  | FirstProofDecision["because"]
  | "account_inactive"
  | "credential_missing"
  | "address_not_verified"
  | "demand_not_met";

/** A proof that a login can be given, with what follows from it. */
export interface ExplainedProof {
  readonly method: MethodKind;
  /** Undefined: it verifies nobody. */
  readonly userVerified: boolean | undefined;
  readonly outcome: "session" | "second_factor" | "refused";
  readonly because: LoginRule;
  /** What a session is worth that begins with it; undefined if none does by it alone. */
  readonly assuranceLevel: AssuranceLevel | undefined;
  /** What is shown next: one of these. */
  readonly secondFactors: readonly ExplainedProof[];
  /** What comes before the session. */
  readonly requiredActions: readonly RequiredAction[];
}

/** What a login of an account needs. */
export interface LoginExplanation {
  readonly proofs: readonly ExplainedProof[];
  /** The demand that no login of the account can meet. Undefined: there is none. */
  readonly unmetDemand: string | undefined;
}

interface LoginExplanationsDependencies {
  readonly identities: Pick<IdentityStore, "find" | "credentialsOf">;
  readonly methods: readonly LoginMethod[];
  readonly challenges: Challenges;
  readonly secondFactors: SecondFactors;
  readonly pending: PendingActions;
  readonly table: FlowTable<LoginTypes>;
  readonly clock: Clock;
}

interface Owner {
  readonly identity: Identity;
  readonly credentials: readonly Credential[];
}

/** Says to operators what a login would need. It asks the code that decides in a login: the table, and decision.ts. */
export class LoginExplanations {
  readonly #deps: LoginExplanationsDependencies;

  constructor(deps: LoginExplanationsDependencies) {
    this.#deps = deps;
  }

  /**
   * What a login of the identity needs; with demands, one that steps up to them and begins anew. Throws IDENTITY_NOT_FOUND.
   */
  async explain(
    tenant: Tenant,
    {
      id,
      client,
      demands,
    }: { readonly id: IdentityId; readonly client: FlowClient; readonly demands: readonly Demand[] },
  ): Promise<LoginExplanation> {
    const { identities } = this.#deps;
    const identity = await identities.find(tenant, id);
    if (identity === undefined) throw domainError("IDENTITY_NOT_FOUND", {});
    const owner = { identity, credentials: await identities.credentialsOf(tenant, id) };
    const purpose = this.#purposeOf(tenant, owner, demands);
    if (typeof purpose === "string") {
      const offered = this.#offered(tenant, client, { kind: "sign_in" });
      const proofs = offered.flatMap((kind) =>
        this.#worthsOf(tenant, owner, kind, []).map(refusedBy("demand_not_met")),
      );
      return { proofs, unmetDemand: purpose };
    }
    const proofs = this.#offered(tenant, client, purpose).flatMap((kind) =>
      this.#worthsOf(tenant, owner, kind, demandedBy(purpose)).map((worth) =>
        this.#explain(tenant, owner, purpose, { kind, worth }),
      ),
    );
    return { proofs, unmetDemand: undefined };
  }

  /** What the login is for; the name of a demand that no login of the account can meet. */
  #purposeOf(
    tenant: Tenant,
    { identity, credentials }: Owner,
    demands: readonly Demand[],
  ): LoginPurpose | string {
    if (demands.length === 0) return { kind: "sign_in" };
    const { methods, secondFactors } = this.#deps;
    const any = { authentication: { kind: "code", assuranceLevel: "aal1" } } as const;
    const second = secondFactors.requiredBeside(tenant, any, credentials, "demanded");
    try {
      const { wanted } = reach(tenant, methods, { identity, credentials }, demands, second);
      return { kind: "refresh", session: noSession, ...wanted };
    } catch (error) {
      if (!(error instanceof DomainError) || error.reason !== "STEP_UP_IMPOSSIBLE") throw error;
      return error.metadata.demand ?? "";
    }
  }

  /** The methods that the login's table has on offer where a method is chosen. */
  #offered(tenant: Tenant, client: FlowClient, purpose: LoginPurpose): readonly MethodKind[] {
    const { methods, table, clock } = this.#deps;
    const state = { at: "choose_method" } as const;
    const now = clock.now();
    const flow = {
      digest: new Uint8Array(32),
      kind: "login",
      client,
      state: "active",
      createdAt: now,
      expiresAt: now,
      returnTo: undefined,
      browserDigest: undefined,
      identityId: undefined,
      revision: 0,
      challenge: undefined,
      data: { purpose, state },
    } as const;
    const context: ContextOf<LoginTypes> = { tenant, flow, state };
    const kinds = new Map<string, MethodKind>([
      ...methods.map((method) => [stepOf(method), method.kind] as const),
      ["sendCode", "code"],
      ["sendLink", "link"],
    ]);
    return Object.entries(stateRule(table, state).steps).flatMap(([name, rule]) => {
      const kind = kinds.get(name);
      return kind !== undefined && (rule.isOffered?.(context) ?? true) ? [kind] : [];
    });
  }

  #explain(
    tenant: Tenant,
    owner: Owner,
    purpose: LoginPurpose,
    { kind, worth }: { readonly kind: MethodKind; readonly worth: Authentication },
  ): ExplainedProof {
    const refused = (because: LoginRule) => refusedBy(because)(worth);
    if (owner.identity.state !== "active") return refused("account_inactive");
    const missing = this.#missing(tenant, owner, kind);
    if (missing !== undefined) return refused(missing);
    const at = this.#deps.clock.now();
    const by = kind === "code" || kind === "link" ? undefined : kind;
    const decision = decide(this.#deps, tenant, { authentication: worth, by }, owner, { purpose, at });
    const { because } = decision;
    if (decision.kind === "refused") return refused(because);
    if (decision.kind === "second_factor") {
      const proofs = decision.methods.flatMap((second) =>
        this.#worthsOf(tenant, owner, second, demandedBy(purpose), "second").map((each) =>
          this.#ended(tenant, owner, purpose, { given: [worth, each], because }),
        ),
      );
      return { ...refused(because), outcome: "second_factor", secondFactors: proofs };
    }
    return this.#ended(tenant, owner, purpose, { given: [worth], because });
  }

  /** What a login gives by these proofs, of which the last one is explained. */
  #ended(
    tenant: Tenant,
    owner: Owner,
    purpose: LoginPurpose,
    { given, because }: { readonly given: readonly Authentication[]; readonly because: LoginRule },
  ): ExplainedProof {
    const proofs = given.map((each) => ({ ...each, purpose: "sign_in" }) as const);
    const last = given.at(-1);
    if (last === undefined) throw new Error("a login has a proof");
    if (unmetDemand(purpose, proofs) !== undefined) return refusedBy("demand_not_met")(last);
    const assuranceLevel = levelOf(proofs);
    const at = this.#deps.clock.now();
    const { before: requiredActions } = this.#deps.pending.find(tenant, owner, { proofs, purpose, at });
    return { ...refusedBy(because)(last), outcome: "session", assuranceLevel, requiredActions };
  }

  /** What the account lacks for a method. */
  #missing(tenant: Tenant, { identity, credentials }: Owner, kind: MethodKind): LoginRule | undefined {
    if (kind === "code" || kind === "link") {
      return loginTarget(identity, undefined) === undefined ? "address_not_verified" : undefined;
    }
    const method = this.#deps.methods.filter((each) => each.kind === kind);
    return methodsFor(tenant, method, credentials).length > 0 ? undefined : "credential_missing";
  }

  #worthsOf(
    tenant: Tenant,
    { identity, credentials }: Owner,
    kind: MethodKind,
    demanded: ReturnType<typeof demandedBy>,
    factor: "first" | "second" = "first",
  ): readonly Authentication[] {
    const method = this.#deps.methods.find((each) => each.kind === kind);
    if (method !== undefined) return possibleProofs(method, tenant, { factor, demanded, credentials });
    const { challenges } = this.#deps;
    const target = loginTarget(identity, undefined);
    const challenge = kind as ChallengeKind;
    // Where nothing can be sent it is refused, whatever it would be worth.
    return [
      target === undefined
        ? challenges.method(challenge).authentication
        : challenges.authentication(challenge, target),
    ];
  }
}

/** Of a login that nobody makes. */
const noSession = "" as SessionId;

function refusedBy(because: LoginRule) {
  return ({ kind, userVerified }: Authentication): ExplainedProof => ({
    method: kind,
    userVerified,
    outcome: "refused",
    because,
    assuranceLevel: undefined,
    secondFactors: [],
    requiredActions: [],
  });
}
