/** Sends a Connect JSON call: `session.v1.SessionService/CheckSession`. Throws if it fails. */
export type Call = (method: string, message: object) => Promise<Record<string, Record<string, string>>>;

/** The password of all accounts of the benchmark. */
export const password = "correct horse battery";

/** Calls of a server. */
export function createCall(publicUrl: string): Call {
  return async (method, message) => {
    const response = await fetch(`${publicUrl}/ostiary.${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(message),
    });
    if (!response.ok) throw new Error(`${method} failed: ${await response.text()}`);
    return (await response.json()) as Record<string, Record<string, string>>;
  };
}

/** Registers an account, and gives its session token. */
export async function register(call: Call, email: string): Promise<string> {
  const service = "flow.v1.RegistrationService";
  const { flow } = await call(`${service}/CreateRegistrationFlow`, { client: "CLIENT_KIND_NATIVE" });
  const submit = { flowId: flow?.id, traits: { email }, password: { password } };
  const { completed } = await call(`${service}/SubmitRegistrationFlow`, submit);
  if (completed?.sessionToken === undefined) throw new Error("the registration was not completed");
  return completed.sessionToken;
}

/** Logs in to an account. */
export async function logIn(call: Call, email: string): Promise<void> {
  const service = "flow.v1.LoginService";
  const { flow } = await call(`${service}/CreateLoginFlow`, { client: "CLIENT_KIND_NATIVE" });
  const submit = { flowId: flow?.id, identifier: email, password: { password } };
  const { completed } = await call(`${service}/SubmitLoginFlow`, submit);
  if (completed === undefined) throw new Error("the login was not completed");
}
