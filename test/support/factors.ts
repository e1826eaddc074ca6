import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import type { SignedIn } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import {
  SettingsService,
  type SubmitSettingsFlowRequest,
} from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import type { Protocol, TestApp } from "./app.ts";
import { TotpDevice } from "./totp-device.ts";

type Step = SubmitSettingsFlowRequest["step"];

/** The settings of an account, by the token of a session; it takes the new token where one is given. */
export class Settings {
  readonly #app: TestApp;
  readonly #protocol: Protocol;
  token: string;
  flowId = "";

  constructor(app: TestApp, token: string, protocol: Protocol = "Connect JSON") {
    this.#app = app;
    this.token = token;
    this.#protocol = protocol;
  }

  get client() {
    return this.#app.client(SettingsService, { bearer: this.token, protocol: this.#protocol });
  }

  async begin() {
    const { flow } = await this.client.createSettingsFlow({ client: ClientKind.NATIVE });
    this.flowId = flow?.id ?? "";
    return flow;
  }

  async submit(name: NonNullable<Step["case"]>, value: object = {}, more: object = {}) {
    if (this.flowId === "") await this.begin();
    // Credentials and messages sort by their time, which stands still otherwise.
    this.#app.clock.advance(1);
    const step = { case: name, value } as Step;
    const answer = await this.client.submitSettingsFlow({ flowId: this.flowId, step, ...more });
    const token = answer.outcome.case === "saved" ? answer.outcome.value.signedIn?.sessionToken : undefined;
    if (token) this.token = token;
    return answer;
  }
}

/** An account with an authenticator app, set up in the session of the token. */
export async function setUpTotp(
  app: TestApp,
  { sessionToken }: Pick<SignedIn, "sessionToken">,
  protocol?: Protocol,
): Promise<{ readonly device: TotpDevice; readonly settings: Settings }> {
  const settings = new Settings(app, sessionToken, protocol);
  const shown = await settings.submit("totp");
  const stage = shown.flow?.stage;
  const [offer] = stage?.case === "changeSettings" ? stage.value.offers : [];
  if (offer?.part.case !== "totp") throw new Error("no key was shown");
  const device = TotpDevice.from(offer.part.value.key, () => app.clock.now());
  const kept = await settings.submit("totp", { code: device.code() });
  if (kept.outcome.case !== "saved") throw new Error(`the app was ${kept.outcome.case}`);
  return { device, settings };
}

/** Makes backup codes, and gives them as they are shown. */
export async function makeBackupCodes(settings: Settings): Promise<readonly string[]> {
  const shown = await settings.submit("backupCodes");
  const stage = shown.flow?.stage;
  const [offer] = stage?.case === "changeSettings" ? stage.value.offers : [];
  if (offer?.part.case !== "backupCode") throw new Error("no codes were shown");
  const kept = await settings.submit("backupCodes", { confirmed: true });
  if (kept.outcome.case !== "saved") throw new Error(`the codes were ${kept.outcome.case}`);
  return offer.part.value.codes;
}

let phones = 0;

/** A telephone number of Germany that no other test has. */
export function freshPhone(): string {
  return `+49171${2_000_000 + ((process.pid * 1000 + ++phones) % 7_000_000)}`;
}

/** The newest code that was sent to a number; empty if there is none. */
export async function codeSentTo(app: TestApp, number: string): Promise<string> {
  return (await app.messages(number)).filter(({ code }) => code !== "").at(-1)?.code ?? "";
}

/** An account with codes by text message, set up in the session of the token. */
export async function setUpSms(
  app: TestApp,
  { sessionToken }: Pick<SignedIn, "sessionToken">,
  { number = freshPhone(), protocol }: { readonly number?: string; readonly protocol?: Protocol } = {},
): Promise<{ readonly number: string; readonly settings: Settings }> {
  const settings = new Settings(app, sessionToken, protocol);
  const asked = await settings.submit("sms", { phoneNumber: number });
  if (asked.outcome.case !== "nextStep") throw new Error(`the number was ${asked.outcome.case}`);
  const kept = await settings.submit("sms", { code: await codeSentTo(app, number) });
  if (kept.outcome.case !== "saved") throw new Error(`the code was ${kept.outcome.case}`);
  return { number, settings };
}
