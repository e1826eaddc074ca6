import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../../gen/ostiary/flow/v1/outcome_pb.js";
import { type Protocol, protocols } from "../../support/app.ts";
import { refusal } from "../../support/errors.ts";
import { idTokenFor, type SocialApp, somebody, startSocialApp } from "../../support/social.ts";

/* Native apps: they sign in at the provider in the system's browser, which leads back to the app. */

let app: SocialApp;

const returnUrl = "com.example.app:/callback";

beforeAll(async () => {
  app = await startSocialApp({
    oidc: {
      native_return_urls: [returnUrl, "http://127.0.0.1/callback", "https://app.example.com/open?x=1"],
    },
  });
});
afterAll(() => app.stop());

/** An app, by one of the protocols. */
class NativeApp {
  readonly #client;
  flowId = "";
  nonce = "";

  constructor(protocol: Protocol = "gRPC") {
    this.#client = app.client(LoginService, { protocol });
  }

  async begin(): Promise<this> {
    const { flow } = await this.#client.createLoginFlow({ client: ClientKind.NATIVE });
    this.flowId = flow?.id ?? "";
    const offers = flow?.stage.case === "chooseMethod" ? flow.stage.value.offers : [];
    this.nonce =
      offers.flatMap(({ method }) => (method.case === "oidc" ? [method.value.nonce] : []))[0] ?? "";
    return this;
  }

  async submit(value: object) {
    const answer = await this.#client.submitLoginFlow({
      flowId: this.flowId,
      step: { case: "oidc", value },
    });
    return { ...answer.outcome, flow: answer.flow };
  }

  /** Where the system's browser goes. */
  async leave(to = returnUrl): Promise<string> {
    const outcome = await this.submit({ provider: "first", returnUrl: to });
    if (outcome.case !== "redirect") throw new Error(`it was ${outcome.case}`);
    return outcome.value.url;
  }
}

/** Signs in there, and gives where the system's browser is led by the server. */
async function ledBack(url: string, as = somebody()): Promise<string> {
  const callback = await app.upstream.signInAt(url, as);
  const { pathname, search } = new URL(callback);
  const response = await fetch(app.localUrl + pathname + search, { redirect: "manual" });
  expect(response.status).toBe(303);
  // The system's browser is signed in to nothing.
  expect(response.headers.getSetCookie()).toEqual([]);
  return response.headers.get("location") ?? "";
}

const codeIn = (location: string) => new URL(location).searchParams.get("exchange_code") ?? "";

describe.each(protocols)("an app over %s", (protocol) => {
  test("signs in by the code that comes back to it", async () => {
    const ada = somebody();
    const native = await new NativeApp(protocol).begin();
    const location = await ledBack(await native.leave(), ada);
    expect(location.startsWith(`${returnUrl}?exchange_code=`)).toBe(true);
    const made = await native.submit({ exchangeCode: codeIn(location) });
    expect(made).toMatchObject({ case: "completed", value: { signedIn: { sessionToken: /^ost_ses_/ } } });
    const again = await new NativeApp(protocol).begin();
    const done = await again.submit({ exchangeCode: codeIn(await ledBack(await again.leave(), ada)) });
    expect(done.case === "completed" && done.value.signedIn?.identity?.id).toBe(
      made.case === "completed" ? made.value.signedIn?.identity?.id : "nobody",
    );
  });
});

describe("where the system's browser may be led", () => {
  test.each([
    ["a scheme of its own", returnUrl, `${returnUrl}?exchange_code=`],
    [
      "the loopback address, with any port",
      "http://127.0.0.1:51004/callback",
      "http://127.0.0.1:51004/callback?",
    ],
    [
      "a link that opens it",
      "https://app.example.com/open?x=1",
      "https://app.example.com/open?x=1&exchange_code=",
    ],
  ])("is %s", async (_name, to, start) => {
    const native = await new NativeApp().begin();
    expect((await ledBack(await native.leave(to))).startsWith(start)).toBe(true);
  });

  test.each([
    "",
    "https://evil.example/",
    "com.example.app:/other",
    "http://127.0.0.1:51004/callback/x",
    "http://localhost:51004/callback",
    "http://127.0.0.1.evil.example/callback",
    "http://user@127.0.0.1/callback",
    "https://app.example.com/open",
    "javascript:alert(1)",
  ])("is nowhere else: %s", async (to) => {
    const native = await new NativeApp().begin();
    expect(await refusal(native.submit({ provider: "first", returnUrl: to }))).toMatchObject({
      reason: "RETURN_TO_NOT_ALLOWED",
    });
  });
});

// Security rule (SR-SOCIAL-7).
describe("a code that came back", () => {
  test("is good for its own flow alone, and once", async () => {
    const [victim, attacker] = [await new NativeApp().begin(), await new NativeApp().begin()];
    const code = codeIn(await ledBack(await victim.leave()));
    await attacker.leave();
    expect(await attacker.submit({ exchangeCode: code })).toMatchObject({
      ...{ case: "rejected", value: { reason: RejectionReason.PROVIDER_ANSWER_INVALID } },
    });
    expect((await victim.submit({ exchangeCode: code })).case).toBe("completed");
    expect(await victim.submit({ exchangeCode: code }).catch((error: unknown) => error)).not.toMatchObject({
      case: "completed",
    });
  });

  test("is good for a minute", async () => {
    const native = await new NativeApp().begin();
    const code = codeIn(await ledBack(await native.leave()));
    app.clock.advance(61_000);
    expect(await native.submit({ exchangeCode: code })).toMatchObject({
      ...{ case: "rejected", value: { reason: RejectionReason.PROVIDER_ANSWER_INVALID } },
    });
  });

  test.each(["x", "x".repeat(16_000), "ost_flw_default_x"])(
    "is no text that was made up",
    async (exchangeCode) => {
      const native = await new NativeApp().begin();
      await native.leave();
      expect((await native.submit({ exchangeCode })).case).toBe("rejected");
    },
  );
});

// Security rule (SR-SOCIAL-2).
describe("an ID token that the app has got itself", () => {
  test("signs in, once, and only with the nonce that the flow offers", async () => {
    const native = await new NativeApp().begin();
    expect(native.nonce).toMatch(/^[\w-]{43}$/);
    const other = await new NativeApp().begin();
    const idToken = await idTokenFor(app, native.nonce, somebody());
    const invalid = { case: "rejected", value: { reason: RejectionReason.PROVIDER_ANSWER_INVALID } };
    expect(await other.submit({ provider: "first", idToken })).toMatchObject(invalid);
    expect(await native.submit({ provider: "second", idToken })).toMatchObject(invalid);
    const foreign = await idTokenFor(app, randomUUID(), somebody());
    expect(await native.submit({ provider: "first", idToken: foreign })).toMatchObject(invalid);
    expect((await native.submit({ provider: "first", idToken })).case).toBe("completed");
  });

  test("that was cut or changed signs nobody in", async () => {
    const native = await new NativeApp().begin();
    const idToken = await idTokenFor(app, native.nonce, somebody());
    for (const forged of [idToken.slice(0, -2), `${idToken.slice(0, 60)}x${idToken.slice(61)}`, "x.y.z"]) {
      expect((await native.submit({ provider: "first", idToken: forged })).case).toBe("rejected");
    }
  });
});

test("a provider that is not configured is not offered, nor taken", async () => {
  const native = await new NativeApp().begin();
  expect(await refusal(native.submit({ provider: "nobody", returnUrl }))).toMatchObject({
    reason: "STEP_NOT_OFFERED",
  });
});
