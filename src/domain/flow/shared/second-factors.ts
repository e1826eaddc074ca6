import { verifiedAddresses } from "../../identity/addresses.ts";
import type { AddressKind, Credential, Identity } from "../../identity/identity.ts";
import type { ChallengeKind, CredentialKind, FlowKind, MethodKind } from "../../kinds.ts";
import {
  type Authentication,
  type FlowBinding,
  isWayIn,
  type LoginMethod,
  methodsPlaying,
} from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import type {
  AssuranceLevel,
  AuthenticationMethod,
  AuthenticationPurpose,
  Session,
} from "../../session/session.ts";
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
export type SecondFactorReason = "by_policy" | "to_change_account" | "demanded";

/** What was shown, in a session or before one. */
interface ShownProofs extends Pick<Session, "assuranceLevel"> {
  readonly authenticationMethods: readonly Omit<AuthenticationMethod, "completedAt">[];
}

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
    wanted: SecondFactorReason = "by_policy",
  ): readonly MethodKind[] {
    if (given.authentication.assuranceLevel === "aal2") return [];
    const { sentBy } = given.authentication;
    const own = this.#ownSecond(tenant, credentials).filter(
      (method) =>
        method.kind !== given.by &&
        // Security rule (SR-SMS-4): two text messages are one kind of proof, whatever number they went to.
        (sentBy === undefined || method.sentBy !== sentBy) &&
        (wanted !== "demanded" || levelOf(tenant, method) === "aal2"),
    );
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
   * second; so is a code by text message where another one is asked for. An account that has no other way to begin is not locked out.
   */
  comesSecond(
    tenant: Tenant,
    given: GivenProof,
    { identity, credentials }: AccountOwner,
    wanted: SecondFactorReason = "by_policy",
  ): boolean {
    if (given.authentication.assuranceLevel === "aal2" || !this.#isAskedFor(tenant, credentials, wanted))
      return false;
    if (this.requiredBeside(tenant, given, credentials, wanted).length > 0) return false;
    const used = this.#deps.methods.find(({ kind }) => kind === given.by)?.credential;
    const others = credentials.filter(({ kind }) => kind !== used);
    const isBySms = given.authentication.sentBy === "sms";
    return this.canSignIn(tenant, { identity, credentials: others }, (kind) => !isBySms || kind !== "phone");
  }

  /**
   * Whether a proof is the same kind as all that is asked for beside it.
   *
   * Security rule (SR-SMS-4): a recovery by text message does not skip the second factor where that is a text message as well.
   */
  isSameKind(tenant: Tenant, given: GivenProof, credentials: readonly Credential[]): boolean {
    return (
      given.authentication.sentBy !== undefined &&
      this.isEnrolled(tenant, credentials) &&
      this.requiredBeside(tenant, given, credentials, "to_change_account").length === 0
    );
  }

  /**
   * The level that what protects an account is changed with, where not all that the account is asked for reaches it. A passkey that no
   * login asks for counts as well, as soon as something weaker is asked for.
   *
   * Security rule (SR-FACTOR-7): the weaker second factor does not remove the stronger one.
   */
  highestLevel(tenant: Tenant, credentials: readonly Credential[]): AssuranceLevel | undefined {
    const asking = this.#asking(tenant, credentials);
    if (!asking.some((method) => levelOf(tenant, method) === "aal1")) return undefined;
    const either = this.#ownSecond(tenant, credentials).filter(({ factor }) => factor === "either");
    return [...asking, ...either].some((method) => levelOf(tenant, method) === "aal2") ? "aal2" : undefined;
  }

  /** Why a change of what protects an account wants a second factor: the strongest where not all are as strong. */
  reasonToChange(tenant: Tenant, credentials: readonly Credential[]): SecondFactorReason {
    return this.highestLevel(tenant, credentials) === "aal2" ? "demanded" : "to_change_account";
  }

  /** Whether these proofs are all that a login asks for. Default: of somebody who changes what protects the account. */
  isEnough(
    tenant: Tenant,
    { assuranceLevel, authenticationMethods }: ShownProofs,
    { identity, credentials }: AccountOwner,
    why: SecondFactorReason = this.reasonToChange(tenant, credentials),
  ): boolean {
    if (assuranceLevel === "aal2") return true;
    const [first, ...more] = authenticationMethods;
    const authentication = { ...(first ?? { kind: "password" }), assuranceLevel } as const;
    const given = { authentication, by: first?.kind };
    const wanted = this.requiredBeside(tenant, given, credentials, why);
    if (wanted.length > 0) return more.some(({ kind }) => wanted.includes(kind));
    return !this.comesSecond(tenant, given, { identity, credentials }, why);
  }

  /** Whether the owner can begin a login with these credentials, or by a code or link. A second factor is no way in by itself. */
  canSignIn(
    tenant: Tenant,
    { identity, credentials }: AccountOwner,
    reaches: (kind: AddressKind) => boolean = () => true,
  ): boolean {
    const { methods, challenges } = this.#deps;
    const isReached = verifiedAddresses(identity).some(({ kind }) => reaches(kind));
    const isSent = isReached && challenges.offered(tenant, "login").length > 0;
    const first = methodsPlaying("first", methods, tenant);
    return isSent || credentials.some((own) => first.some((method) => isWayIn(method, own, tenant)));
  }

  /** The methods that can be second and that the account has a credential of. */
  #ownSecond(tenant: Tenant, credentials: readonly Credential[]): readonly LoginMethod[] {
    return methodsPlaying("second", this.#deps.methods, tenant).filter(({ credential }) =>
      credentials.some(({ kind }) => kind === credential),
    );
  }

  /** Whether the account has a second factor that is asked for, once it is there or by the owner's choice. */
  isEnrolled(tenant: Tenant, credentials: readonly Credential[]): boolean {
    return this.#asking(tenant, credentials).length > 0;
  }

  /** Whether the account has a second factor that was set up to be asked for. */
  isChosen(tenant: Tenant, credentials: readonly Credential[]): boolean {
    const asking = credentials.filter(({ isSecondFactor }) => isSecondFactor);
    return this.#ownSecond(tenant, asking).length > 0;
  }

  /** Whether a login asks for the second factor of an account. */
  #isAskedFor(tenant: Tenant, credentials: readonly Credential[], wanted: SecondFactorReason): boolean {
    const isLeftOut = wanted === "by_policy" && tenant.settings.secondFactor.policy === "optional";
    return !isLeftOut && this.isEnrolled(tenant, credentials);
  }

  /** Whether a credential of this kind can be a second factor that is asked for. Without a tenant: at any. */
  canBeSecond(kind: CredentialKind, tenant?: Tenant): boolean {
    const { methods } = this.#deps;
    return (tenant === undefined ? methods : methodsPlaying("second", methods, tenant)).some(
      ({ credential, factor, isSpare }) => credential === kind && factor !== "first" && isSpare !== true,
    );
  }

  /** The methods that the account has set up to be asked for. */
  #asking(tenant: Tenant, credentials: readonly Credential[]): readonly LoginMethod[] {
    const asking = this.#ownSecond(
      tenant,
      credentials.filter(({ isSecondFactor }) => isSecondFactor),
    );
    // Where everybody needs one, what can be either is asked for without its owner's choice.
    if (tenant.settings.secondFactor.policy !== "required") return asking;
    const either = this.#ownSecond(tenant, credentials).filter(({ factor }) => factor === "either");
    return [...new Set([...asking, ...either])];
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

/** What the proof of a method is worth beside one of another kind. */
function levelOf(tenant: Tenant, method: LoginMethod): AssuranceLevel {
  return method.assuranceLevel?.(tenant) ?? "aal2";
}

/**
 * Whether a proof adds nothing to those that were given: two of one kind are one.
 *
 * Security rule (SR-SMS-4): so are two text messages.
 */
export function addsNothing(
  given: readonly Pick<AuthenticationMethod, "kind" | "sentBy">[],
  shown: Pick<AuthenticationMethod, "kind" | "sentBy">,
): boolean {
  return given.some(
    ({ kind, sentBy }) => kind === shown.kind || (shown.sentBy !== undefined && sentBy === shown.sentBy),
  );
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
export function bindingOf({ client, digest, revision }: FlowRecord): FlowBinding {
  return { client, flowDigest: digest, revision };
}
