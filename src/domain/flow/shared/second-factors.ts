import type { Credential } from "../../identity/identity.ts";
import type { MethodKind } from "../../kinds.ts";
import {
  type Authentication,
  enabledMethods,
  type FlowBinding,
  type LoginMethod,
} from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import type { AuthenticationMethod, AuthenticationPurpose } from "../../session/session.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { FirstFactor, FlowRecord } from "./flow.ts";

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
   * that the weakest way in is no way around it. A proof that is worth `aal2` by itself needs none. `isDemanded`: one is wanted
   * also of an account that has set none up to be asked for, because the session is to be worth `aal2`.
   */
  requiredBeside(
    tenant: Tenant,
    given: { readonly authentication: Authentication; readonly by?: MethodKind | undefined },
    credentials: readonly Credential[],
    isDemanded = false,
  ): readonly MethodKind[] {
    if (given.authentication.assuranceLevel === "aal2") return [];
    const second = enabledMethods(this.#deps.methods, tenant).filter(
      ({ kind, factor }) => factor !== "first" && kind !== given.by,
    );
    const own = second.filter(({ credential }) => credentials.some(({ kind }) => kind === credential));
    const asks = credentials.some(
      ({ kind, isSecondFactor }) => isSecondFactor && own.some(({ credential }) => credential === kind),
    );
    // Then whatever else is there serves as well. What can only be second and was not set up to be asked for is a spare, and asks
    // for nothing.
    const isAsked = asks || (isDemanded && own.some(({ factor }) => factor === "either"));
    return isAsked ? own.map(({ kind }) => kind) : [];
  }

  /** A first proof as a flow remembers it. */
  firstFactor(
    authentication: Authentication,
    purpose: AuthenticationPurpose,
    methods: readonly MethodKind[],
    credentials: readonly Credential[],
  ): FirstFactor {
    const notes = this.#deps.methods.flatMap((method) => {
      const note = methods.includes(method.kind) ? method.noteOf?.(credentials) : undefined;
      return note === undefined ? [] : [[method.kind, note] as const];
    });
    const completedAt = this.#deps.clock.now().toISOString();
    const noted = notes.length > 0 && { notes: Object.fromEntries(notes) };
    return { ...authentication, purpose, completedAt, methods, ...noted };
  }
}

/** A first proof as a session keeps it. */
export function shownFirst({
  methods: _methods,
  notes: _notes,
  completedAt,
  ...proof
}: FirstFactor): AuthenticationMethod {
  return { ...proof, completedAt: new Date(completedAt) };
}

/** Where a flow stands, for what is bound to it. */
export function bindingOf({ digest, revision }: FlowRecord): FlowBinding {
  return { flowDigest: digest, revision };
}
