import type { FieldViolation, FieldViolationReason } from "../../field-violation.ts";
import { button, endOtherSessionsNode, type Node, type PasskeyKind } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { SubmittedStep } from "../../form/submission.ts";
import type { Credential, NewCredential } from "../../identity/identity.ts";
import type { ImportedPasskey } from "../../identity/imported-credential.ts";
import { type CredentialId, newId } from "../../ids.ts";
import { isObject, type JsonObject } from "../../json.ts";
import type { BoundChallenges, Clock, PasskeyExpectation, PasskeyVerifier } from "../../ports.ts";
import type { MethodProperty } from "../../session/session.ts";
import type { PasskeySettings, Tenant } from "../../tenant/tenant.ts";
import * as texts from "../../user-message/factor-messages.ts";
import type { UserMessage } from "../../user-message/user-messages.ts";
import type {
  Authentication,
  FlowBinding,
  ImportMethod,
  LoginAttempt,
  LoginMethod,
  LoginProved,
  LoginRefused,
  LoginStage,
  MethodFactor,
  MethodMemory,
  OfferingLogin,
  ProofAsked,
  RegistrationMethod,
  RegistrationProved,
  RegistrationStage,
  SecretAttempt,
  SecretChanged,
  SettingsMethod,
  SettingsStage,
  StepContinues,
} from "../method.ts";
import { creationOptions, type KnownPasskey, requestOptions } from "./options.ts";
import { acceptedPasskeys, keyOf, knownPasskey, secretOf, userHandleOf } from "./passkey-credential.ts";
import { credentialIdOf, isMissing, readAssertion, readAttestation } from "./response.ts";

const responseName = "passkey.response";
/** Of an authenticator that does not say what it is. */
const noAaguid = "00000000-0000-0000-0000-000000000000";

type Ceremony = PasskeyKind["ceremony"];

interface PasskeyDependencies {
  readonly passkeys: PasskeyVerifier;
  readonly challenges: BoundChallenges;
  readonly clock: Clock;
}

/**
 * Passkeys and security keys (WebAuthn level 3). One and the same signs in by itself, because it says whose it is, and serves
 * beside another proof.
 *
 * Security rule (SR-PASSKEY-1): a challenge is bound to its flow, to where the flow stands, and to what is asked. It is not stored: it is
 * worth nothing once a step was taken, and gone with the flow.
 */
export class PasskeyMethod implements LoginMethod, RegistrationMethod, SettingsMethod, ImportMethod {
  readonly kind = "passkey";
  readonly factor = "either";
  readonly credential = "passkey";
  readonly properties = ["phishing_resistant", "user_verified"] as const;
  /** Each login reads all passkeys of an account, and names them where one is wanted second. */
  readonly mostCredentials = 50;
  readonly #deps: PasskeyDependencies;

  constructor(deps: PasskeyDependencies) {
    this.#deps = deps;
  }

  isEnabled({ settings }: Tenant): boolean {
    return settings.passkey.enabled;
  }

  useAs({ settings }: Tenant): MethodFactor {
    return settings.passkey.useAs;
  }

  possibleProofs(
    { settings: { passkey } }: Tenant,
    { factor, demanded }: ProofAsked,
  ): readonly Authentication[] {
    const verified = worthOf(factor, true);
    const isVerified = mustVerify(passkey, demanded);
    return isVerified ? [verified] : [verified, worthOf(factor, false)];
  }

  lookupKey(field: (name: string) => unknown): string {
    return credentialIdOf(field("response"));
  }

  noteOf(credentials: readonly Credential[]): JsonObject {
    const known = ownPasskeys(credentials).map(knownPasskey);
    return { passkeys: known.map(({ id, transports }) => ({ id, transports: [...transports] })) };
  }

  /** One that says whose it is. */
  isWayIn({ facts }: Credential): boolean {
    return facts.discoverable === true;
  }

  loginNodes(tenant: Tenant, stage: LoginStage): readonly Node[] {
    const isFirst = stage.factor === "first";
    const options = this.#requestOptions(tenant, stage);
    const label = isFirst ? texts.signInWithPasskey() : texts.usePasskey();
    // A button that needs no field: a name may be typed beside it, and means nothing.
    return [
      passkeyNode({ options, ceremony: "get", conditional: isFirst }),
      button("passkey", label, isFirst),
    ];
  }

  loginOffer(tenant: Tenant, stage: LoginStage): JsonObject {
    return { options: this.#requestOptions(tenant, stage) };
  }

  unreadable(_tenant: Tenant, { fields: { response } }: SubmittedStep): StepRejected | undefined {
    if (isMissing(response)) return missing();
    return readAssertion(response) === undefined ? refused() : undefined;
  }

  /**
   * Security rule (SR-PASSKEY-3): an unknown passkey, one of somebody else, one of an inactive account and a wrong signature are answered
   * alike, after the same work. The browser is told of an unknown passkey as well, where nothing else says who signs in. The user
   * handle is that which the passkey was made with, and has to be there where nothing else says whose it is.
   */
  async proveLogin(attempt: LoginAttempt): Promise<LoginProved | LoginRefused> {
    const { tenant, step, candidate, factor, demanded, binding, isNobodys = false } = attempt;
    const assertion = readAssertion(step.fields.response);
    if (assertion === undefined) return refused();
    const stored = candidate?.identity.state === "active" ? candidate.credential : undefined;
    const own = stored?.lookupKey === assertion.id ? stored : undefined;
    const key = own && keyOf(own);
    const expected = this.#expected(tenant, binding, "get", mustVerify(tenant.settings.passkey, demanded));
    const shown = await this.#deps.passkeys.verifyAssertion(assertion, expected, key?.publicKey);
    if (isNobodys)
      return { ...refused(), unknownPasskey: { rpId: expected.rpId, credentialId: assertion.id } };
    if (candidate === undefined || own === undefined || key === undefined || shown === undefined) {
      return refused();
    }
    const { userHandle } = assertion;
    const isHandleRight = userHandle === undefined ? factor === "second" : userHandle === own.facts.user;
    if (!isHandleRight) return refused();
    const { userVerified, isSyncable, isSynced, counter } = shown;
    // Security rule (SR-PASSKEY-14): whether it can be backed up never changes (WebAuthn level 3, section 6.1.3).
    if ((own.facts.syncable ?? isSyncable) !== isSyncable) return refused();
    // Security rule (SR-PASSKEY-4): a counter that does not go on is the sign of a copy (WebAuthn level 3, section 6.1.1).
    if (counter <= key.counter && (counter !== 0 || key.counter !== 0)) {
      return { ...refused(), sign: { event: "credential.counter_regressed", credentialId: own.id } };
    }
    return {
      kind: "proved",
      candidate,
      authentication: { ...worthOf(factor, userVerified), credentialId: own.id },
      replacement: {
        secret: secretOf({ ...key, counter }),
        facts: { ...own.facts, syncable: isSyncable, synced: isSynced },
        isUse: true,
      },
    };
  }

  registrationNodes(tenant: Tenant, stage: RegistrationStage): readonly Node[] {
    if (stage.memory === undefined) return [button("passkey", texts.signUpWithPasskey())];
    const options = this.#creationOptions(tenant, stage, stage.memory);
    return [
      passkeyNode({ options, ceremony: "create", conditional: false }),
      button("passkey", texts.makePasskey()),
    ];
  }

  registrationOffer(tenant: Tenant, { binding, memory }: RegistrationStage): JsonObject {
    return memory === undefined ? {} : { options: this.#creationOptions(tenant, { binding }, memory) };
  }

  /** A new passkey is worth one factor: nobody vouches for its flags, and nothing was signed with it. */
  async proveRegistration(
    attempt: SecretAttempt,
  ): Promise<RegistrationProved | StepRejected | StepContinues> {
    const made = await this.#make(attempt);
    if ("kind" in made) return made;
    const id = newId<CredentialId>(this.#deps.clock.now());
    const authentication = { kind: "passkey", assuranceLevel: "aal1", credentialId: id } as const;
    return { kind: "proved", credential: { ...made.credential, id }, authentication };
  }

  readonly listsCredentials = true;

  sectionTitle() {
    return texts.passkeysTitle();
  }

  readonly settingsSteps = {
    passkey: {
      // In the place of a password, where there is none.
      setsNewSecret: ({ settings }: Tenant) =>
        !settings.password.enabled && settings.passkey.useAs !== "second",
      nodes: (stage: SettingsStage) => this.#settingsNodes(stage),
      take: (attempt: SecretAttempt) => this.#add(attempt),
    },
  };

  settingsOffer(stage: SettingsStage): JsonObject {
    const { tenant, credentials, binding, memory } = stage;
    const accepted = acceptedPasskeys(tenant.settings.passkey, stage);
    if (memory === undefined) return { accepted };
    return { accepted, options: this.#creationOptions(tenant, { binding, credentials }, memory) };
  }

  /** The first passkey of an account. It is made as an answer to one step, so the options are there from the beginning. */
  offerAfterLogin({ tenant, by, name, credentials }: OfferingLogin): MethodMemory | undefined {
    const { offerAfterLogin, useAs } = tenant.settings.passkey;
    // One that only comes second would be asked for from then on, which its owner has not chosen.
    const isOffered = offerAfterLogin && useAs !== "second" && by === "password";
    if (!isOffered || ownPasskeys(credentials).length > 0) return undefined;
    return { user: userHandleOf([]), name, conditional: true };
  }

  #settingsNodes({ tenant, credentials, binding, memory }: SettingsStage): readonly Node[] {
    if (memory === undefined) return [button("passkey", texts.addPasskey(), true)];
    const options = this.#creationOptions(tenant, { binding, credentials }, memory);
    if (isConditional(memory)) {
      return [
        passkeyNode({ options, ceremony: "create", conditional: true }),
        button("passkey", texts.makeOfferedPasskey()),
      ];
    }
    return [
      passkeyNode({ options, ceremony: "create", conditional: false }),
      {
        name: "passkey.label",
        step: "passkey",
        label: texts.passkeyName(),
        messages: [],
        element: { kind: "input", type: "text", maxLength: 64 },
      },
      endOtherSessionsNode("passkey"),
      button("passkey", texts.makePasskey()),
    ];
  }

  /** Security rule (SR-PASSKEY-6): a new passkey raises no session, because nothing was signed with it. */
  async #add(attempt: SecretAttempt): Promise<SecretChanged | StepRejected | StepContinues> {
    const made = await this.#make(attempt);
    if ("kind" in made) return made;
    const { tenant, step, credentials, place } = attempt;
    const label = String(step.fields.label ?? "").trim();
    // What is good for nothing else is made to be asked for.
    const isSecondFactor =
      this.useAs(tenant) === "second" || ownPasskeys(credentials).some((own) => own.isSecondFactor);
    return {
      kind: "changed",
      credential: { ...made.credential, label, isSecondFactor },
      notice: { template: "credential_added", data: { kind: "passkey", label, ...place } },
      endsOtherSessions: step.fields.endOtherSessions === true,
    };
  }

  /** Asks for a passkey first, then reads the one that was made. */
  async #make({
    tenant,
    step: { fields },
    account,
    credentials,
    binding,
    memory,
  }: SecretAttempt): Promise<{ readonly credential: NewCredential } | StepRejected | StepContinues> {
    const passkeys = ownPasskeys(credentials);
    const isAnswered = !isMissing(fields.response);
    if (memory === undefined) {
      // An answer to a form that was left since.
      if (isAnswered) return notMade();
      if (passkeys.length >= this.mostCredentials)
        return rejected("CREDENTIALS_TOO_MANY", texts.passkeysTooMany(this.mostCredentials));
      return { kind: "continues", memory: { user: userHandleOf(passkeys), name: account.name } };
    }
    if (!isAnswered) return missing();
    const attestation = readAttestation(fields.response);
    if (attestation === undefined) return notMade();
    // Security rule (SR-PASSKEY-9): a user who is not there is let pass where a browser may make passkeys by itself, and nowhere else.
    const asked = {
      ...this.#expected(tenant, binding, "create", mustVerify(tenant.settings.passkey, [])),
      isConditional: isConditional(memory),
    };
    const made = await this.#deps.passkeys.verifyAttestation(attestation, asked);
    if (made === undefined) return notMade();
    // Security rule (SR-PASSKEY-7): no key takes the place of another one. That of another account, the store refuses.
    if (passkeys.some(({ lookupKey }) => lookupKey === attestation.id)) {
      return rejected("CREDENTIAL_TAKEN", texts.passkeyThere());
    }
    const { transports, isDiscoverable = true } = attestation;
    const facts = {
      aaguid: made.aaguid,
      transports: [...transports],
      ...{ syncable: made.isSyncable, synced: made.isSynced },
      discoverable: isDiscoverable,
      user: String(memory.user),
    };
    return { credential: { kind: "passkey", lookupKey: attestation.id, secret: secretOf(made), facts } };
  }

  /**
   * The passkey that another system has seen. Nobody vouches for its facts, as for those of one that is made here; a login shows
   * by itself whether it is backed up and what its counter is.
   *
   * Security rule (SR-PASSKEY-13): a public key is checked before it is stored, as strictly as that of a new passkey: one of an algorithm
   * that is offered, in its only encoding, of a length that is not broken.
   */
  readonly importKey = "credentialId";

  async importCredential(
    imported: ImportedPasskey,
  ): Promise<{ readonly credential: NewCredential } | { readonly violations: readonly FieldViolation[] }> {
    const { field, counter, transports, aaguid, isDiscoverable, isSecondFactor } = imported;
    const violations: FieldViolation[] = [];
    const refuse = (name: string, description: string, reason: FieldViolationReason) =>
      violations.push({ field: `${field}.${name}`, description, reason });
    const problem = await this.#deps.passkeys.publicKeyProblem(imported.publicKey);
    if (problem !== undefined) refuse("publicKey", problem, "FORMAT");
    const user = textOf(imported.userHandle);
    if (isDiscoverable && user === "") {
      refuse("userHandle", "is needed of a discoverable passkey: a login by it shows it", "REQUIRED");
    }
    const { isBackedUp, isBackupEligible = isBackedUp ? true : undefined } = imported;
    if (isBackedUp && isBackupEligible === false) {
      refuse("backupState", "does not go with backupEligible: false", "CONFLICT");
    }
    if (violations.length > 0) return { violations };
    const facts = {
      aaguid: aaguid === "" ? noAaguid : aaguid.toLowerCase(),
      transports: [...transports].sort(),
      ...(isBackupEligible !== undefined && { syncable: isBackupEligible }),
      synced: isBackedUp,
      discoverable: isDiscoverable,
      ...(user !== "" && { user }),
    };
    const secret = secretOf({ publicKey: textOf(imported.publicKey), counter });
    const lookupKey = textOf(imported.credentialId);
    return { credential: { kind: "passkey", lookupKey, secret, facts, isSecondFactor } };
  }

  #requestOptions({ settings: { passkey } }: Tenant, { binding, demanded, noted }: LoginStage): JsonObject {
    // Security rule (SR-PASSKEY-12): only a first proof has passkeys noted. Without one no list is given, whichever name was typed, so no name
    // needs a decoy.
    const challenge = this.#deps.challenges.make(contextOf(binding, "get"));
    const isVerified = demanded.includes("user_verified");
    const userVerification = isVerified ? "required" : passkey.userVerification;
    return requestOptions(passkey, { challenge, userVerification, allowed: notedPasskeys(noted) });
  }

  #creationOptions(
    { settings: { passkey } }: Tenant,
    { binding, credentials = [] }: { binding: FlowBinding; credentials?: readonly Credential[] },
    { user, name }: MethodMemory,
  ): JsonObject {
    return creationOptions(passkey, {
      challenge: this.#deps.challenges.make(contextOf(binding, "create")),
      userHandle: String(user),
      name: String(name),
      excluded: credentials.map(knownPasskey),
    });
  }

  #expected(
    { settings: { passkey } }: Tenant,
    binding: FlowBinding,
    ceremony: Ceremony,
    mustVerifyUser: boolean,
  ): PasskeyExpectation {
    const context = contextOf(binding, ceremony);
    return {
      isChallenge: (challenge) => this.#deps.challenges.matches(challenge, context),
      rpId: passkey.rpId,
      origins: passkey.origins,
      mustVerifyUser,
    };
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}

/** Whether a passkey counts only with its user verified. */
function mustVerify({ userVerification }: PasskeySettings, demanded: readonly MethodProperty[]): boolean {
  return userVerification === "required" || demanded.includes("user_verified");
}

/** Security rule (SR-PASSKEY-5): possession alone is one factor; with the user verified by this very assertion it is two. */
function worthOf(factor: "first" | "second", userVerified: boolean) {
  const assuranceLevel = userVerified || factor === "second" ? "aal2" : "aal1";
  return { kind: "passkey", assuranceLevel, userVerified } as const;
}

function contextOf({ flowDigest, revision }: FlowBinding, ceremony: Ceremony) {
  return ["passkey", ceremony, flowDigest, String(revision)] as const;
}

/** Whether a browser may make the passkey by itself, right after a login (WebAuthn level 3, section 5.1.3, conditional mediation). */
function isConditional({ conditional }: MethodMemory): boolean {
  return conditional === true;
}

function ownPasskeys(credentials: readonly Credential[]): readonly Credential[] {
  return credentials.filter(({ kind }) => kind === "passkey");
}

/** The passkeys that a flow remembers, as `noteOf` wrote them. */
function notedPasskeys(noted: JsonObject | undefined): readonly KnownPasskey[] {
  const passkeys = Array.isArray(noted?.passkeys) ? noted.passkeys : [];
  return passkeys.flatMap((each) =>
    isObject(each) ? [knownPasskey({ lookupKey: String(each.id), facts: each })] : [],
  );
}

function passkeyNode(element: Omit<PasskeyKind, "kind">): Node {
  return { name: responseName, step: "passkey", messages: [], element: { kind: "passkey", ...element } };
}

function missing(): StepRejected {
  const problems = { fields: [{ name: responseName, message: texts.passkeyMissing() }], form: [] };
  return { kind: "rejected", reason: "FORM_INCOMPLETE", problems };
}

function refused(): StepRejected {
  return rejected("PASSKEY_INVALID", texts.passkeyRefused());
}

function notMade(): StepRejected {
  return rejected("PASSKEY_INVALID", texts.passkeyNotMade());
}

function rejected(reason: StepRejected["reason"], message: UserMessage): StepRejected {
  return { kind: "rejected", reason, problems: { fields: [], form: [message] } };
}
