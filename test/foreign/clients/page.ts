import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { ClientKind } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import { RegistrationService } from "../../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SessionService } from "../../../gen/ostiary/session/v1/session_service_pb.js";
import { reasonOf } from "../../../sdk/typescript/src/errors.ts";

function transport(baseUrl: string) {
  return createConnectTransport({
    baseUrl,
    useBinaryFormat: true,
    fetch: (input, init) => fetch(input, { ...init, credentials: "include" }),
  });
}

/** Registers with cookies, looks at the session, and logs out. */
export async function journey(baseUrl: string, email: string) {
  const registration = createClient(RegistrationService, transport(baseUrl));
  const sessions = createClient(SessionService, transport(baseUrl));
  const { flow } = await registration.createRegistrationFlow({ client: ClientKind.BROWSER });
  const { outcome } = await registration.submitRegistrationFlow({
    flowId: flow?.id ?? "",
    csrfToken: flow?.csrfToken ?? "",
    traits: { email },
    step: { case: "password", value: { password: "correct horse battery" } },
  });
  const { session } = await sessions.getCurrentSession({});
  await sessions.logout({});
  const ended = await sessions.getCurrentSession({}).then(
    () => "still signed in",
    (error: unknown) => reasonOf(error),
  );
  // What a script can see of the cookies: nothing.
  return { registered: outcome.case, current: session?.current, script: document.cookie, ended };
}

/** Tries to read a session from an origin that is not allowed. */
export async function peek(baseUrl: string): Promise<string> {
  const sessions = createClient(SessionService, transport(baseUrl));
  return sessions.getCurrentSession({}).then(
    () => "answered",
    (error: unknown) => (reasonOf(error) === undefined ? "refused by the browser" : "answered"),
  );
}
