import { verifiedAddresses } from "../../identity/addresses.ts";
import type { Credential, Identity } from "../../identity/identity.ts";
import type { ChallengeKind, CredentialKind, FlowKind, MethodKind } from "../../kinds.ts";
import {
  type Authentication,
  enabledMethods,
  type FlowBinding,
  isWayIn,
  type LoginMethod,
} from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import type { AuthenticationMethod, AuthenticationPurpose } from "../../session/session.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { FirstFactor, FlowRecord } from "./flow.ts";

/** A proof that was given, by the method that it is of; undefined where it is of an address. */
interface GivenProof {
  readonly authentication: Authentication;
  readonly by?: MethodKind | undefined;
}

/**
 * Why a second factor is wanted: because the tenant's policy asks for it, because something of what protects the account is to
 * change, for which its owner shows all that it has, whatever the policy says of logins, or because the session is to be worth
 * `aal2`. Then what was not set up to be asked for serves as well.
 */
type SecondFactorWanted = "by_policy" | "to_change_account" | "demanded";

/** Whose account it is, and what they sign in with. */
interface AccountOwner {
  readonly identity: Identity;
  readonly credentials: readonly Credential[];
}

interface SecondFactorsDependencies {
  readonly methods: readonly LoginMethod[];
  readonly challenges: { offered(tenant: Tenant, flow: FlowKind): readonly ChallengeKind[] };
  readonly clock: Clock;
}

/** What is shown beside the first proof, by those who have set it up. */
export class SecondFactors {
  readonly #deps: SecondFactorsDependencies;

  constructor(deps: SecondFactorsDependencies) {
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
    given: GivenProof,
    credentials: readonly Credential[],
    wanted: SecondFactorWanted = "by_policy",
  ): readonly MethodKind[] {
    if (given.authentication.assuranceLevel === "aal2") return [];
    const own = this.#ownSecond(tenant, credentials).filter(({ kind }) => kind !== given.by);
    // Once one is asked for, each of the others serves as well. A method that can only be second and was not set up to be asked for is
    // a spare: it asks for nothing.
    const isAsked =
      this.#isAskedFor(tenant, credentials, wanted) ||
      (wanted === "demanded" && own.some(({ factor }) => factor === "either"));
    return isAsked ? own.map(({ kind }) => kind) : [];
  }

  /**
   * Whether a proof is one factor where two are asked for, with nothing to show beside it: the account begins with another proof.
   *
   * Security rule (SR-FACTOR-1): a security key that has not verified its user is one factor, also where it is the one that is asked for
   * second. An account that has no other way to begin is not locked out.
   */
  comesSecond(
    tenant: Tenant,
    given: GivenProof,
    { identity, credentials }: AccountOwner,
    wanted: SecondFactorWanted = "by_policy",
  ): boolean {
    if (given.authentication.assuranceLevel === "aal2" || !this.#isAskedFor(tenant, credentials, wanted))
      return false;
    if (this.requiredBeside(tenant, given, credentials, wanted).length > 0) return false;
    const used = this.#deps.methods.find(({ kind }) => kind === given.by)?.credential;
    return this.canSignIn(tenant, {
      identity,
      credentials: credentials.filter(({ kind }) => kind !== used),
    });
  }

  /** Whether the owner can begin a login with these credentials, or by a code or link. A second factor is no way in by itself. */
  canSignIn(tenant: Tenant, { identity, credentials }: AccountOwner): boolean {
    const { methods, challenges } = this.#deps;
    const isSent = verifiedAddresses(identity).length > 0 && challenges.offered(tenant, "login").length > 0;
    const first = enabledMethods(methods, tenant).filter(({ factor }) => factor !== "second");
    return isSent || credentials.some((own) => first.some((method) => isWayIn(method, own)));
  }

  /** The methods that can be second and that the account has a credential of. */
  #ownSecond(tenant: Tenant, credentials: readonly Credential[]): readonly LoginMethod[] {
    return enabledMethods(this.#deps.methods, tenant).filter(
      ({ factor, credential }) => factor !== "first" && credentials.some(({ kind }) => kind === credential),
    );
  }

  /** Whether the account has a second factor that is asked for, once it is there or by the owner's choice. */
  isEnrolled(tenant: Tenant, credentials: readonly Credential[]): boolean {
    if (this.isChosen(tenant, credentials)) return true;
    // Where everybody needs one, what can be either is asked for without its owner's choice.
    const isForAll = tenant.settings.secondFactor.policy === "required";
    return isForAll && this.#ownSecond(tenant, credentials).some(({ factor }) => factor === "either");
  }

  /** Whether the account has a second factor that was set up to be asked for. */
  isChosen(tenant: Tenant, credentials: readonly Credential[]): boolean {
    const asking = credentials.filter(({ isSecondFactor }) => isSecondFactor);
    return this.#ownSecond(tenant, asking).length > 0;
  }

  /** Whether a login asks for the second factor of an account. */
  #isAskedFor(tenant: Tenant, credentials: readonly Credential[], wanted: SecondFactorWanted): boolean {
    const isLeftOut = wanted === "by_policy" && tenant.settings.secondFactor.policy === "optional";
    return !isLeftOut && this.isEnrolled(tenant, credentials);
  }

  /** Whether a credential of this kind can be a second factor that is asked for. */
  canBeSecond(kind: CredentialKind): boolean {
    return this.#deps.methods.some(
      ({ credential, factor, isSpare }) => credential === kind && factor !== "first" && isSpare !== true,
    );
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
