import type { ErrorReason } from "../errors.ts";
import type { FormProblems, Node } from "../flow/form.ts";
import type { LoginCandidate } from "../flow/store.ts";
import type { CredentialKind } from "../identity/identity.ts";
import type { PasswordRecord } from "../identity/store.ts";
import type { JsonObject } from "../json.ts";
import type { AssuranceLevel, AuthenticationMethodKind } from "../session/session.ts";
import type { Tenant } from "../tenant/tenant.ts";

/** The ways to get through a flow; each is a step of the Submit requests by the same name. */
export type MethodKind = "password";

/** The step that was submitted, with its fields, as they came off the wire. */
export interface SubmittedStep {
  readonly method: MethodKind;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A step that was not accepted. */
export interface StepRejected {
  readonly kind: "rejected";
  readonly reason: ErrorReason;
  readonly problems: FormProblems;
}

/** A login step that proved who somebody is. */
export interface LoginProved {
  readonly kind: "proved";
  readonly candidate: LoginCandidate;
  readonly authentication: {
    readonly kind: AuthenticationMethodKind;
    readonly assuranceLevel: AssuranceLevel;
  };
  /** Replaces the stored hash, where its parameters have changed. */
  readonly rehash: PasswordRecord | undefined;
}

/** A registration step that gave a credential to store. */
export interface RegistrationProved {
  readonly kind: "proved";
  readonly password: PasswordRecord | undefined;
  readonly authentication: {
    readonly kind: AuthenticationMethodKind;
    readonly assuranceLevel: AssuranceLevel;
  };
}

/**
 * One way to sign in. Flow kinds know only this interface; adding a method is one folder beside password/ and a
 * line in src/app.ts. A method imports no other method.
 */
export interface LoginMethod {
  readonly kind: MethodKind;
  /** The credential that is read together with the flow; one round trip. */
  readonly credential: CredentialKind;
  /** The method's own nodes, its button last. */
  loginNodes(tenant: Tenant): readonly Node[];
  /**
   * Tries the proof. For an account that does not exist, is inactive or has no such credential (`candidate` or
   * its credential undefined) it does the same work and gives the same answer as for a wrong secret.
   */
  proveLogin(
    tenant: Tenant,
    step: SubmittedStep,
    candidate: LoginCandidate | undefined,
  ): Promise<LoginProved | StepRejected>;
}

/** One way to make an account. */
export interface RegistrationMethod {
  readonly kind: MethodKind;
  /** The method's own nodes, its button last. */
  registrationNodes(tenant: Tenant): readonly Node[];
  /**
   * Checks what was submitted against traits that are valid, and makes the credential. It may ask another server, so
   * no transaction is open meanwhile.
   */
  proveRegistration(
    tenant: Tenant,
    step: SubmittedStep,
    account: { readonly traits: JsonObject; readonly identifiers: readonly string[] },
  ): Promise<RegistrationProved | StepRejected>;
}
