import { createServer } from "node:net";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import type { PasskeyNode } from "../../gen/ostiary/flow/v1/form_pb.js";
import { LoginService, type SubmitLoginFlowResponse } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import type { SignedIn } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import type { Credential } from "../../gen/ostiary/identity/v1/identity_pb.js";
import type { JsonObject } from "../../src/domain/json.ts";
import { freshEmail } from "./accounts.ts";
import { type Protocol, startTestApp, type TestApp } from "./app.ts";
import type { Settings } from "./factors.ts";
import { SoftwareAuthenticator } from "./software-authenticator.ts";

/** Starts a server where passkeys are on: browsers make none for the IP address that tests have otherwise. */
export function startPasskeyApp(settings: object = {}): Promise<TestApp> {
  return startTestApp({ config: { tenant_defaults: { public_url: "https://id.example.com", ...settings } } });
}

/** A server for browsers, which make no passkeys for an IP address: its URL is told in advance, with a port that is free now. */
export async function startLocalhostApp(settings: object = {}): Promise<TestApp> {
  const port = await freePort();
  const tenant_defaults = { public_url: `http://localhost:${port}`, ...settings };
  return startTestApp({ config: { server: { public: { port } }, tenant_defaults } });
}

/** A port of loopback that nobody listens at now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** The node that a passkey fills in. */
export function passkeyNodeOf(flow: Flow | undefined): PasskeyNode {
  const node = flow?.form?.nodes.find(({ name }) => name === "passkey.response");
  if (node?.kind.case !== "passkey") throw new Error("the form asks for no passkey");
  return node.kind.value;
}

/** What the form of a flow asks a passkey for. */
export function optionsOf(flow: Flow | undefined): JsonObject {
  return passkeyNodeOf(flow).options as JsonObject;
}

/** The credentials that settings show. */
export function credentialsOf(flow: Flow | undefined): readonly Credential[] {
  return flow?.stage.case === "changeSettings" ? flow.stage.value.credentials : [];
}

/** Adds a passkey in the settings, and gives it as they show it then. */
export async function addPasskey(
  settings: Settings,
  device: SoftwareAuthenticator,
  more: { readonly label?: string; readonly endOtherSessions?: boolean } = {},
): Promise<Credential> {
  await settings.begin();
  const asked = await settings.submit("passkey");
  const response = device.create(optionsOf(asked.flow));
  const kept = await settings.submit("passkey", { response, ...more });
  if (kept.outcome.case !== "saved") throw new Error(`the passkey was ${kept.outcome.case}`);
  const credential = credentialsOf(kept.flow).at(-1);
  if (credential === undefined) throw new Error("no credential is shown");
  return credential;
}

/** Begins a native login. */
export async function beginLogin(app: TestApp, protocol: Protocol = "Connect JSON"): Promise<Flow> {
  // Ids sort by their time, which stands still otherwise.
  app.clock.advance(1);
  const client = app.client(LoginService, { protocol });
  const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
  if (flow === undefined) throw new Error("there is no flow");
  return flow;
}

/** Submits the answer of a passkey to a login. */
export function showPasskey(
  app: TestApp,
  flowId: string,
  response: JsonObject,
  protocol: Protocol = "Connect JSON",
): Promise<SubmitLoginFlowResponse> {
  return app.client(LoginService, { protocol }).submitLoginFlow({
    flowId,
    step: { case: "passkey", value: { response } },
  });
}

/** Signs in with the newest passkey of a device, and nothing else. */
export async function signInWith(app: TestApp, device: SoftwareAuthenticator, protocol?: Protocol) {
  const flow = await beginLogin(app, protocol);
  return showPasskey(app, flow.id, device.get(optionsOf(flow)), protocol);
}

/** Registers an account that has nothing but a passkey. */
export async function registerPasskey(
  app: TestApp,
  { email = freshEmail(), device = new SoftwareAuthenticator(), protocol = "Connect JSON" as Protocol } = {},
) {
  const client = app.client(RegistrationService, { protocol });
  const { flow: begun } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
  const flowId = begun?.id ?? "";
  const submit = (traits: JsonObject, value: object) =>
    client.submitRegistrationFlow({ flowId, traits, step: { case: "passkey", value } });
  const { flow } = await submit({ email }, {});
  const { outcome } = await submit({}, { response: device.create(optionsOf(flow)) });
  return { email, device, ...signedInBy({ outcome }) };
}

/** The session that an answer gave. */
export function signedInBy(answer: { outcome: { case?: string | undefined; value?: unknown } }): SignedIn {
  if (answer.outcome.case !== "completed") throw new Error(`it was ${answer.outcome.case}`);
  const { signedIn } = answer.outcome.value as { readonly signedIn?: SignedIn };
  if (signedIn === undefined) throw new Error("nobody was signed in");
  return signedIn;
}
