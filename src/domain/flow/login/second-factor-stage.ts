import type { CredentialKind } from "../../identity/identity.ts";
import type { MethodKind } from "../../kinds.ts";
import type { Authentication, LoginMethod } from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import type { AuthenticationMethod, AuthenticationPurpose } from "../../session/session.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import { advanceFlow } from "../shared/advance-flow.ts";
import type { FirstFactor, FlowRecord } from "../shared/flow.ts";
import type { FlowStore } from "../shared/store.ts";
import type { LoginProof } from "./login-completion.ts";

interface SecondFactorStageDependencies {
  readonly flows: FlowStore;
  readonly methods: readonly LoginMethod[];
  readonly clock: Clock;
}

/** What is shown beside the first proof, by whoever has set that up; and the stage of a login in which it is. */
export class SecondFactorStage {
  readonly #flows: FlowStore;
  readonly #methods: readonly LoginMethod[];
  readonly #clock: Clock;

  constructor({ flows, methods, clock }: SecondFactorStageDependencies) {
    this.#flows = flows;
    this.#methods = methods;
    this.#clock = clock;
  }

  /**
   * The methods of which one is wanted beside a proof; none if the proof is enough.
   *
   * Security rule: what an account has set up to be shown second is wanted after every first proof, whichever it was, so
   * that the weakest way in is no way around it (peers D 15, D4 1). A proof that is worth `aal2` by itself needs none.
   */
  wantedBeside(
    given: { readonly authentication: Authentication; readonly by?: MethodKind | undefined },
    credentialKinds: readonly CredentialKind[],
  ): readonly MethodKind[] {
    if (given.authentication.assuranceLevel === "aal2") return [];
    const isOwn = (credential: LoginMethod["credential"]) =>
      credential !== undefined && credentialKinds.includes(credential);
    return this.#methods
      .filter(({ kind, factor, credential }) => factor !== "first" && kind !== given.by && isOwn(credential))
      .map(({ kind }) => kind);
  }

  /** A first proof as a flow remembers it. */
  remember(
    authentication: Authentication,
    purpose: AuthenticationPurpose,
    methods: readonly MethodKind[],
  ): FirstFactor {
    return { ...authentication, purpose, completedAt: this.#clock.now().toISOString(), methods };
  }

  /**
   * Remembers the first proof, which is used up by it, and waits for one of the methods. From here on the flow is that
   * account's: what ends other flows of it ends this one. One round trip. Throws FLOW_CHANGED.
   */
  begin(
    tenant: Tenant,
    flow: FlowRecord,
    { candidate, authentication, held }: LoginProof,
    methods: readonly MethodKind[],
  ): Promise<FlowRecord> {
    const { pending: _used, method: _done, identifier, ...rest } = flow.data;
    const firstFactor = this.remember(authentication, "sign_in", methods);
    const own = held.find(({ digest }) => Buffer.compare(digest, flow.digest) === 0);
    return advanceFlow(
      this.#flows,
      tenant,
      { ...flow, revision: own?.revision ?? flow.revision },
      {
        data: { ...rest, ...(identifier && { typed: identifier.typed }), firstFactor },
        identityId: candidate.identity.id,
        // The flow that holds the challenge of an opened link; there is at most one beside the flow itself.
        consumes: held.find((each) => each !== own),
      },
    );
  }

  /** Gives the first proof up. One round trip. Throws FLOW_CHANGED. */
  forget(tenant: Tenant, flow: FlowRecord): Promise<FlowRecord> {
    const { firstFactor: _given, method: _underWay, ...data } = flow.data;
    const isOwned = data.refreshes !== undefined || data.ofOwner !== undefined;
    const identityId = isOwned ? flow.identityId : undefined;
    return advanceFlow(this.#flows, tenant, flow, { data, identityId });
  }
}

/** A first proof as a session keeps it. */
export function shownFirst({
  kind,
  purpose,
  assuranceLevel,
  completedAt,
}: FirstFactor): AuthenticationMethod {
  return { kind, purpose, assuranceLevel, completedAt: new Date(completedAt) };
}
