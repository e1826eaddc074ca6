import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import type { FlowCompleted, SignedIn } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import type { Credential } from "../../gen/ostiary/identity/v1/identity_pb.js";
import type { Protocol, TestApp } from "./app.ts";

/** A password that every rule of the policy allows. */
export const goodPassword = "correct horse battery";

let count = 0;

/** An email address that no other test has. */
export function freshEmail(): string {
  return `person${++count}-${process.pid}@example.com`;
}

/** Registers a native account, and returns what the registration gave. */
export async function register(
  app: TestApp,
  account: { readonly email?: string; readonly password?: string; readonly protocol?: Protocol } = {},
): Promise<SignedIn & Pick<FlowCompleted, "continueWith"> & { readonly email: string }> {
  const email = account.email ?? freshEmail();
  const client = app.client(RegistrationService, { protocol: account.protocol ?? "Connect JSON" });
  const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
  const { outcome } = await client.submitRegistrationFlow({
    flowId: flow?.id ?? "",
    traits: { email },
    step: { case: "password", value: { password: account.password ?? goodPassword } },
  });
  if (outcome.case !== "completed" || outcome.value.signedIn === undefined) {
    throw new Error(`registration was ${outcome.case}`);
  }
  return Object.assign(outcome.value.signedIn, { email, continueWith: outcome.value.continueWith });
}

/** Submits a native login, and returns its outcome and the flow to draw. */
export async function logIn(
  app: TestApp,
  identifier: string,
  password = goodPassword,
  protocol: Protocol = "Connect JSON",
) {
  // Ids sort by their time, which stands still otherwise.
  app.clock.advance(1);
  const client = app.client(LoginService, { protocol });
  const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
  const answer = await client.submitLoginFlow({
    flowId: flow?.id ?? "",
    identifier,
    step: { case: "password", value: { password } },
  });
  return { ...answer.outcome, flow: answer.flow };
}

/** Logs in, and gives the token of the new session. */
export async function sessionTokenOf(
  app: TestApp,
  identifier: string,
  password = goodPassword,
): Promise<string> {
  const outcome = await logIn(app, identifier, password);
  if (outcome.case !== "completed") throw new Error(`the login was ${outcome.case}`);
  return outcome.value.signedIn?.sessionToken ?? "";
}

/** The algorithm of a password's hash; undefined for a credential of another kind. */
export function hashAlgorithmOf(credential: Credential | undefined): string | undefined {
  const { details } = credential ?? {};
  return details?.case === "password" ? details.value.hashAlgorithm : undefined;
}
