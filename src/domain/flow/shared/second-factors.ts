import type { Credential } from "../../identity/identity.ts";
import type { MethodKind } from "../../kinds.ts";
import { type Authentication, enabledMethods, type LoginMethod } from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import type { AuthenticationMethod, AuthenticationPurpose } from "../../session/session.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { FirstFactor } from "./flow.ts";

/** What is shown beside the first proof, by those who have set it up. */
export class SecondFactors {
  readonly #deps: { readonly methods: readonly LoginMethod[]; readonly clock: Clock };

  constructor(deps: { readonly methods: readonly LoginMethod[]; readonly clock: Clock }) {
    this.#deps = deps;
  }

  /**
   * The methods of which one is wanted beside a proof; none if the proof is enough.
   *
   * Security rule (SR-FACTOR-1): what an account has set up to be shown second is wanted after every first proof, whichever it was, so
   * that the weakest way in is no way around it. A proof that is worth `aal2` by itself needs none.
   */
  requiredBeside(
    tenant: Tenant,
    given: { readonly authentication: Authentication; readonly by?: MethodKind | undefined },
    credentials: readonly Credential[],
  ): readonly MethodKind[] {
    if (given.authentication.assuranceLevel === "aal2") return [];
    const second = enabledMethods(this.#deps.methods, tenant).filter(
      ({ kind, factor }) => factor !== "first" && kind !== given.by,
    );
    const own = (isMeant: (credential: Credential) => boolean) => {
      const kinds = new Set<string | undefined>(credentials.filter(isMeant).map(({ kind }) => kind));
      return second.filter(({ credential }) => kinds.has(credential)).map(({ kind }) => kind);
    };
    // What was set up to be asked for asks; then whatever else is there serves as well.
    return own(({ isSecondFactor }) => isSecondFactor).length === 0 ? [] : own(() => true);
  }

  /** A first proof as a flow remembers it. */
  firstFactor(
    { kind, assuranceLevel }: Authentication,
    purpose: AuthenticationPurpose,
    methods: readonly MethodKind[],
  ): FirstFactor {
    return { kind, assuranceLevel, purpose, completedAt: this.#deps.clock.now().toISOString(), methods };
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
