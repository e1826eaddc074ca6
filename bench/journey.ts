import { ClientKind } from "../gen/ostiary/flow/v1/flow_pb.js";
import { createOstiary, type Ostiary } from "../sdk/typescript/src/index.ts";

/** The password of all accounts of the benchmark. */
export const password = "correct horse battery";

/** Clients of a server. */
export function connect(publicUrl: string, fetch?: typeof globalThis.fetch): Ostiary {
  return createOstiary({ baseUrl: publicUrl, fetch });
}

/** Registers an account, and gives its session token. */
export async function register({ registration }: Ostiary, email: string): Promise<string> {
  const { flow } = await registration.createRegistrationFlow({ client: ClientKind.NATIVE });
  const { outcome } = await registration.submitRegistrationFlow({
    flowId: flow?.id ?? "",
    traits: { email },
    step: { case: "password", value: { password } },
  });
  return sessionTokenOf(outcome);
}

/** Logs in to an account, and returns the session token. */
export async function logIn({ login }: Ostiary, email: string): Promise<string> {
  const { flow } = await login.createLoginFlow({ client: ClientKind.NATIVE });
  const { outcome } = await login.submitLoginFlow({
    flowId: flow?.id ?? "",
    identifier: email,
    step: { case: "password", value: { password } },
  });
  return sessionTokenOf(outcome);
}

type Outcome = Awaited<
  ReturnType<Ostiary["login"]["submitLoginFlow"] | Ostiary["registration"]["submitRegistrationFlow"]>
>["outcome"];

function sessionTokenOf(outcome: Outcome): string {
  if (outcome.case === "completed" && outcome.value.signedIn !== undefined)
    return outcome.value.signedIn.sessionToken;
  throw new Error(`nobody was signed in: the outcome is ${outcome.case}`);
}
