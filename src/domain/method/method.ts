import type { MessageContent } from "../courier/message.ts";
import type { FieldViolation } from "../field-violation.ts";
import type { Node } from "../form/form.ts";
import type { RejectionReason, StepRejected } from "../form/rejection.ts";
import type { SubmittedStep } from "../form/submission.ts";
import type { ContactAddress } from "../identity/addresses.ts";
import type {
  Credential,
  CredentialSecret,
  CredentialWithSecret,
  Identity,
  NewCredential,
} from "../identity/identity.ts";
import type { ImportedCredential } from "../identity/imported-credential.ts";
import type { NoticePlace } from "../identity/notices.ts";
import type { CredentialId } from "../ids.ts";
import type { JsonObject } from "../json.ts";
import type { ChallengeKind, CredentialKind, FlowClient, FlowKind, MethodKind } from "../kinds.ts";
import type { HashAsker } from "../ports.ts";
import type { Secret } from "../secret.ts";
import type { AssuranceLevel, MethodProperty } from "../session/session.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { UserMessage } from "../user-message/user-messages.ts";

/** A secret that was sent and that a flow waits for. There is at most one: a newer one takes its place. */
export interface Challenge {
  readonly kind: "code" | "link";
  /** Of a code keyed, since so few digits could be tried out; of a link SHA-256. */
  readonly digest: Uint8Array;
  readonly expiresAt: Date;
  /** How often something was tried against it. */
  readonly attempts: number;
}

/** What a method remembers between two of its steps. Kept as JSON with the flow, and never shown. */
export type MethodMemory = JsonObject;

/** A step that was right and not the last: the method's next nodes are drawn. */
export interface StepContinues {
  readonly kind: "continues";
  readonly memory: MethodMemory;
  /** A text message that goes out with it. Default: none. */
  readonly sends?: { readonly recipient: string; readonly content: MessageContent };
}

/** A step that goes on elsewhere: the browser comes back with the method's next step. */
export interface StepRedirects {
  readonly kind: "redirects";
  readonly url: string;
  readonly memory: MethodMemory;
}

/**
 * An account elsewhere, for which somebody vouches that its owner is there. Whose it is here the flow finds out, by the key of the
 * credential. Kept as JSON with a flow that goes on with it.
 */
export interface VouchedAccount {
  /** As it is stored with the account here that it is linked to. */
  readonly credential: NewCredential & { readonly lookupKey: string };
  readonly authentication: Authentication;
  /** The name of who vouches, for people. */
  readonly by: string;
  /** What is known of its owner: a merge patch of the traits. */
  readonly traits: JsonObject;
  readonly publicMetadata: JsonObject;
  readonly adminMetadata: JsonObject;
  /**
   * The addresses that were shown to be its owner's, normalised. `isAuthoritative`: who vouches is the one that decides about them,
   * so no other proof is needed.
   */
  readonly addresses: readonly (ContactAddress & { readonly isAuthoritative: boolean })[];
  /** Whether a login brings the traits up to date: with what is missing, or always. */
  readonly updates: "never" | "missing" | "always";
}

/** A step by which somebody vouched for an account elsewhere. */
export interface StepVouched {
  readonly kind: "vouched";
  readonly vouched: VouchedAccount;
}

/** What a proof is worth in a session. */
export interface Authentication {
  readonly kind: MethodKind;
  readonly assuranceLevel: AssuranceLevel;
  /** Whether the authenticator has verified its user. Default: it has not. */
  readonly userVerified?: boolean;
  /** The credential, of a kind that an identity can have several of. */
  readonly credentialId?: CredentialId;
  /** The id of the provider that vouched. Default: none did. */
  readonly provider?: string;
  /** What the account at the provider is looked up by. Default: no provider vouched. */
  readonly providerAccount?: string;
  /** The provider's own session. Default: it has told of none. */
  readonly providerSession?: string;
  /** `sms`: what was shown came by text message. Default: it did not. */
  readonly sentBy?: "sms";
}

/** The flow that a step belongs to, and where it stands: what is bound to it is good until the next step is taken. */
export interface FlowBinding {
  readonly client: FlowClient;
  readonly flowDigest: Uint8Array;
  readonly revision: number;
}

/** Who might be logging in: an identity and the credential that a method asked for. */
export interface LoginCandidate {
  readonly identity: Identity;
  /** The credential, with its secret part; undefined if the identity has no such one. */
  readonly credential: CredentialWithSecret | undefined;
  /** All that the identity has, oldest first. */
  readonly credentials: readonly Credential[];
  /** Names what was read; a login completes only if nothing that it rests on has changed since. */
  readonly loginSequence: number;
}

/** A login step that proved who somebody is. */
export interface LoginProved {
  readonly kind: "proved";
  readonly candidate: LoginCandidate;
  readonly authentication: Authentication;
  /** Replaces the secret that was read: another form of it, or what its use has changed. Default: it stays. */
  readonly replacement?: (CredentialSecret & { readonly isUse?: boolean }) | undefined;
  /** What the owner is told. Default: nothing. */
  readonly notice?: MessageContent | undefined;
  /** Called once the proof counts, also where another one follows; the login does not wait for what it does. Default: nothing is. */
  readonly whenShown?: (() => void) | undefined;
}

/** A registration step that gave a credential to store. */
export interface RegistrationProved {
  readonly kind: "proved";
  /** Undefined: none is stored. */
  readonly credential: NewCredential | undefined;
  readonly authentication: Authentication;
}

/** What a step of a login is tried with. */
export interface LoginAttempt {
  readonly tenant: Tenant;
  readonly step: SubmittedStep;
  /** Who might be logging in: by the identifier that was submitted, or else the one that the flow belongs to. */
  readonly candidate: LoginCandidate | undefined;
  /** What an earlier step of the method left; undefined at its first. */
  readonly memory?: MethodMemory | undefined;
  readonly factor: "first" | "second";
  /** Since when somebody has to show anew who they are. Default: what was shown before is as good. */
  readonly since?: Date | undefined;
  /** What somebody has said in this flow that they sign in with, as they typed it. Default: nothing. */
  readonly typed?: string | undefined;
  /** Whether the proof is to be worth two factors. Default: one is enough. */
  readonly isForTwo?: boolean;
  /** What the proof must have, because the session that comes of it is asked for it. */
  readonly demanded: readonly MethodProperty[];
  readonly binding: FlowBinding;
  /** Whether nothing but the credential says who signs in, and no account has it. Default: that is not known. */
  readonly isNobodys?: boolean;
  /** When and where it is tried, for what the owner is told. */
  readonly place: NoticePlace;
  /** The flow, to come back to from elsewhere. */
  readonly flow: { readonly kind: FlowKind; readonly id: string };
  /** For whom a password is hashed. */
  readonly asker: HashAsker;
}

/** A proof that was refused. */
export interface LoginRefused extends StepRejected {
  /** What is recorded beside the failure: what it says of the credential. */
  readonly sign?: { readonly event: "credential.counter_regressed"; readonly credentialId: CredentialId };
}

/**
 * The part that a method can play: shown alone, shown beside another proof, or both. A `second` one is never offered
 * first, and a `first` one never second.
 */
export type MethodFactor = "first" | "second" | "either";

/** Where in a login a method's nodes are drawn. */
export interface LoginStage {
  readonly factor: "first" | "second";
  /** As in `LoginAttempt`. */
  readonly demanded: readonly MethodProperty[];
  readonly binding: FlowBinding;
  /** What the person signs in with, where they have shown it already and no field asks for it. */
  readonly username?: string | undefined;
  /** Of a second factor: what the method noted of the account's credentials. */
  readonly noted?: JsonObject | undefined;
  /** What an earlier step of the method left; undefined at its first. */
  readonly memory?: MethodMemory | undefined;
}

/** What all methods but codes and links have in common. */
export interface CredentialMethod {
  readonly kind: MethodKind;
  /** The part that a tenant has it play, among those that it can play. Default: all of them. */
  useAs?(tenant: Tenant): MethodFactor;
  /** Whether a tenant has it switched on. Default: each has. */
  isEnabled?(tenant: Tenant): boolean;
}

/** The name of a method's step in a login and registration: its kind, as the JSON of the contract spells it. */
export function stepOf({ kind }: { readonly kind: MethodKind }): string {
  return kind.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** Whether an account can sign in by a credential, by this method and without another proof. */
export function isWayIn(
  method: Pick<LoginMethod, "credential" | "isWayIn">,
  credential: Credential,
  tenant: Tenant,
): boolean {
  return method.credential === credential.kind && (method.isWayIn?.(credential, tenant) ?? true);
}

/** What a proof is asked of, and for. `demanded` as in `LoginAttempt`; `credentials`: all that the account has. */
export interface ProofAsked {
  readonly factor: "first" | "second";
  readonly demanded: readonly MethodProperty[];
  readonly credentials: readonly Credential[];
}

/** What the proofs of a method can be worth. */
export function possibleProofs(
  method: Pick<LoginMethod, "kind" | "possibleProofs">,
  tenant: Tenant,
  asked: ProofAsked,
): readonly Authentication[] {
  const usual = { kind: method.kind, assuranceLevel: asked.factor === "first" ? "aal1" : "aal2" } as const;
  return method.possibleProofs?.(tenant, asked) ?? [usual];
}

/** The methods among these that a tenant has switched on. */
export function enabledMethods<Method extends CredentialMethod>(
  methods: readonly Method[],
  tenant: Tenant,
): readonly Method[] {
  return methods.filter((method) => method.isEnabled?.(tenant) ?? true);
}

/**
 * The methods among these that play a part at a tenant.
 *
 * Security rule (SR-ROLE-2): what the configuration takes a part from is not offered in it, and not taken.
 */
export function methodsPlaying<Method extends CredentialMethod & { readonly factor?: MethodFactor }>(
  part: "first" | "second",
  methods: readonly Method[],
  tenant: Tenant,
): readonly Method[] {
  const other = part === "first" ? "second" : "first";
  return enabledMethods(methods, tenant).filter(
    (method) => method.factor !== other && method.useAs?.(tenant) !== other,
  );
}

/**
 * A way to sign in with something that is known or had. Flow kinds know only this interface and the ones below; adding a
 * method is one folder beside password/ and a line in create-methods.ts. A method imports no other method.
 */
export interface LoginMethod extends CredentialMethod {
  readonly kind: MethodKind;
  readonly factor: MethodFactor;
  /** The credential that is read together with the flow; one round trip. */
  readonly credential: CredentialKind;
  /** Whether somebody else vouches for the account that is shown: it says who signs in. Default: nobody does. */
  readonly isVouchedFor?: boolean;
  /** Whether it only takes the place of another second factor, and asks for nothing by itself. Default: it does not. */
  readonly isSpare?: boolean;
  /** What its proofs can have that a session can be asked for. Default: nothing. */
  readonly properties?: readonly MethodProperty[];
  /** What its proofs can be worth. Default: one that is first is one factor, one that is second makes two. */
  possibleProofs?(tenant: Tenant, asked: ProofAsked): readonly Authentication[];
  /**
   * The key of the credential that a step shows, of a kind that an identity can have several of; `field` gives the step's
   * fields as they came. Whose credential it is says who signs in, where nobody has said so before. The method finds out
   * whether it is the candidate's.
   */
  lookupKey?(field: (name: string) => unknown): string;
  /** `sms`: what it asks for comes by text message, so it is no second kind beside another text message. */
  readonly sentBy?: "sms";
  /** What its proof is worth beside one of another kind. Default `aal2`. */
  assuranceLevel?(tenant: Tenant): AssuranceLevel;
  /** What the flow remembers of an account's credentials, to draw the method's nodes where it is wanted second. */
  noteOf?(credentials: readonly Credential[]): JsonObject;
  /** Whether a credential of its kind signs in without another proof. Default: it does. */
  isWayIn?(credential: Credential, tenant: Tenant): boolean;
  /** The method's own nodes, its button last. */
  loginNodes(tenant: Tenant, stage: LoginStage): readonly Node[];
  /** What the offer says to forms that are written by hand; a list: there are several. Default: nothing. */
  loginOffer?(tenant: Tenant, stage: LoginStage): JsonObject | readonly JsonObject[];
  /** What is wrong with a step that cannot be a proof for any account. It is refused before anything is counted or read. */
  unreadable?(
    tenant: Tenant,
    step: SubmittedStep,
    memory: MethodMemory | undefined,
  ): StepRejected | undefined;
  /**
   * The telephone number that a step has a code sent to: it is counted as a message, not as a guess. Undefined: the step is a try.
   * Default: each is.
   */
  sendsTo?(attempt: Pick<LoginAttempt, "step" | "candidate" | "memory">): string | undefined;
  /**
   * Tries the proof. For an account that does not exist, is inactive or has no such credential (`candidate` or
   * its credential undefined) it does the same work and gives the same answer as for a wrong secret.
   *
   * A first proof is followed by a second one where the account has a credential of a method that can be second, unless the
   * first is worth `aal2` by itself.
   */
  proveLogin(
    attempt: LoginAttempt,
  ): Promise<LoginProved | LoginRefused | StepContinues | StepRedirects | StepVouched>;
}

/** What a step that makes a credential is tried with. */
export interface SecretAttempt {
  readonly tenant: Tenant;
  readonly step: SubmittedStep;
  /** Whose it is to be: valid traits, normalised identifiers, and the name that its owner knows it by. */
  readonly account: {
    readonly traits: JsonObject;
    readonly identifiers: readonly string[];
    readonly name: string;
  };
  /** The credentials of the account, oldest first; none of one that is only being made. */
  readonly credentials: readonly Credential[];
  readonly binding: FlowBinding;
  /** What an earlier step of the method left; undefined at its first. */
  readonly memory?: MethodMemory | undefined;
  /** The flow, to come back to from elsewhere. */
  readonly flow: { readonly kind: FlowKind; readonly id: string };
  /** Whether the owner has shown lately who they are. What costs money waits for it. */
  readonly isFresh: boolean;
  /** The secret that the account has, where another one is asked for. */
  readonly outdatedSecret?: string | undefined;
  /** When and where it is made, for what the owner is told. */
  readonly place: NoticePlace;
  /** For whom a password is hashed. */
  readonly asker: HashAsker;
}

/** One way to make an account. */
export interface RegistrationMethod extends CredentialMethod {
  readonly kind: MethodKind;
  /** The method's own nodes, its button last. */
  registrationNodes(tenant: Tenant, stage: RegistrationStage): readonly Node[];
  /** What the offer says to forms that are written by hand; a list: there are several. Default: nothing. */
  registrationOffer?(tenant: Tenant, stage: RegistrationStage): JsonObject | readonly JsonObject[];
  /** Whether it brings the traits: none are asked for before it. Default: it does not. */
  readonly isVouchedFor?: boolean;
  /**
   * What is wrong with what was submitted, as far as this process can tell at once: it hashes nothing and asks nobody. Asked where the
   * traits are wrong already, so that a person reads of everything at once. Default: nothing.
   */
  mistakesIn?(attempt: Pick<SecretAttempt, "tenant" | "step" | "account">): StepRejected | undefined;
  /**
   * Checks what was submitted against traits that are valid, and makes the credential. It may ask another server, so
   * no transaction is open meanwhile.
   */
  proveRegistration(
    attempt: SecretAttempt,
  ): Promise<RegistrationProved | StepRejected | StepContinues | StepRedirects | StepVouched>;
}

/** Where in a registration a method's nodes are drawn. */
export interface RegistrationStage {
  readonly binding: FlowBinding;
  /** What the account will sign in with, where that was asked for before. */
  readonly username?: string | undefined;
  /** What an earlier step of the method left; undefined at its first. */
  readonly memory?: MethodMemory | undefined;
}

/** One way to sign in that its owner can set up and change. */
export interface SettingsMethod extends CredentialMethod {
  readonly kind: CredentialKind;
  /** The heading that its steps are drawn under; its id is the kind. */
  sectionTitle(): UserMessage;
  /** Whether its credentials are listed among the settings, each with a way to rename and remove it. Default: they are not. */
  readonly listsCredentials?: boolean;
  /** What is to be said of one of them beside its name. Default: nothing. */
  credentialNote?(tenant: Tenant, credential: Credential): UserMessage | undefined;
  /** By their names, in the order to draw them. */
  readonly settingsSteps: Readonly<Record<string, SettingsStep>>;
  /** What the offer says to forms that are written by hand; a list: there are several. Default: nothing. */
  settingsOffer?(stage: SettingsStage): JsonObject | readonly JsonObject[];
  /**
   * What the method begins with where a login offers to make its first credential; undefined: the login offers none. Default: no
   * login does.
   */
  offerAfterLogin?(login: OfferingLogin): MethodMemory | undefined;
}

/** A login that was completed, and may offer to make a credential. */
export interface OfferingLogin {
  readonly tenant: Tenant;
  /** The first proof. */
  readonly by: Authentication["kind"];
  /** The name that the owner knows the account by. */
  readonly name: string;
  readonly credentials: readonly Credential[];
}

/** Where in the settings a method's nodes are drawn. */
export interface SettingsStage {
  readonly tenant: Tenant;
  /** The credentials of its kind that the owner has. */
  readonly credentials: readonly Credential[];
  /** Those of its kind that the owner had before the change that the settings are drawn after; otherwise the same. */
  readonly former: readonly Credential[];
  /** The name that the owner knows the account by. */
  readonly name: string;
  /** What the owner signs in with, where the form may say it. */
  readonly username?: string | undefined;
  readonly binding: FlowBinding;
  /** What an earlier step of the method left; undefined at its first. */
  readonly memory?: MethodMemory | undefined;
}

/** What an owner can do with a method in the settings. */
export interface SettingsStep {
  /** Whether it is on offer after a recovery, where a new secret is set. Default: it is not. */
  setsNewSecret?(tenant: Tenant): boolean;
  /** The step's own nodes, its button last. */
  nodes(stage: SettingsStage): readonly Node[];
  /** As in `LoginMethod`. A step that has it counts its tries with the codes of the account. */
  sendsTo?(attempt: Pick<SecretAttempt, "tenant" | "step" | "memory">): string | undefined;
  /** Checks what was submitted, and makes the credential; that of an account that is vouched for is linked. */
  take(
    attempt: SecretAttempt,
  ): Promise<SecretChanged | StepRejected | StepContinues | StepRedirects | StepVouched>;
}

/** A settings step that gave a credential to store. */
export interface SecretChanged {
  readonly kind: "changed";
  readonly credential: NewCredential;
  /** What the owner is told. */
  readonly notice: MessageContent;
  /** What the step has shown beside that: the session is worth it from then on. Default: nothing. */
  readonly authentication?: Authentication;
  /** Whether other sessions of the account end. */
  readonly endsOtherSessions: boolean;
}

/** One way to sign in whose credentials can come from another system. */
export interface ImportMethod {
  readonly kind: CredentialKind;
  /** How many of them an identity may have. */
  readonly mostCredentials: number;
  /** The field that says which credential it is. */
  readonly importKey: "credentialId" | "subject";
  /** Checks a credential of its own kind, and makes the one to store. Its time, and a label that is given, are added by the caller. */
  importCredential(
    imported: ImportedCredential,
    tenant: Tenant,
  ): Promise<{ readonly credential: NewCredential } | { readonly violations: readonly FieldViolation[] }>;
}

/** How hard a secret is to guess; `long` where many were guessed wrongly for the same account. */
export type CodeStrength = "usual" | "long";

/** A secret that was made: what is stored of it, and what its message says. */
export interface IssuedChallenge {
  readonly challenge: Challenge;
  readonly secret: Secret;
}

/**
 * A way to show that one receives what is sent to an address. It serves signing in, registration, verification, recovery
 * and changes of an address alike: those flow kinds say what the proof is for, and what follows from it.
 */
export interface ChallengeMethod {
  readonly kind: ChallengeKind;
  /** What a proof is worth in a session. */
  readonly authentication: Authentication;
  /** The step that uses the secret. For a link it is a step of the flow that begins when the link is opened. */
  readonly useStep: "code" | "confirmLink";
  /** Whether a tenant offers it for a kind of flow. */
  isEnabled(tenant: Tenant, flow: FlowKind): boolean;
  /** The button that asks for the secret. */
  requestNodes(purpose: FlowKind): readonly Node[];
  /** What is drawn where the secret is used, its button last. */
  useNodes(purpose: FlowKind, tenant: Tenant): readonly Node[];
  /** Makes a secret that is bound to a flow, hence to its purpose, and to an address. */
  issue(tenant: Tenant, flow: ChallengeBinding, at: Date, strength: CodeStrength): IssuedChallenge;
  /**
   * What is wrong with a submit that can be no secret of this kind, whichever was sent; undefined if it can. It is refused
   * before anything is counted or read, and tells nothing.
   */
  unreadable(
    tenant: Tenant,
    step: SubmittedStep,
  ): { readonly reason: RejectionReason; readonly message: UserMessage } | undefined;
  /** Whether what was submitted uses the challenge rightly. Called only after the try was counted. */
  matches(
    tenant: Tenant,
    flow: ChallengeBinding,
    challenge: Challenge,
    step: SubmittedStep,
    /** `long`: a usual one is not compared, after the same work. */
    strength: CodeStrength,
  ): boolean;
  /** The message about a secret that was not accepted. */
  invalid(purpose: FlowKind): { readonly reason: RejectionReason; readonly message: UserMessage };
}

/** What a secret is bound to. */
export interface ChallengeBinding {
  readonly flowDigest: Uint8Array;
  readonly purpose: FlowKind;
  /** Normalised; empty where nothing is really sent. */
  readonly address: string;
  /** The digest of the link that was opened, as base64url. */
  readonly opened?: string | undefined;
}

/** The methods that there are, by what they can do, in the order to offer them. */
export interface Methods {
  readonly login: readonly LoginMethod[];
  readonly registration: readonly RegistrationMethod[];
  readonly settings: readonly SettingsMethod[];
  /** Codes and links, in flows of all kinds. */
  readonly challenges: readonly ChallengeMethod[];
  /** Those whose credentials operators can import. A password has its own rules, in password/new-passwords.ts. */
  readonly imports: readonly ImportMethod[];
}
