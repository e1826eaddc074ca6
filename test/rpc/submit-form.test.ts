import type { DescMessage } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow, FlowKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { SubmitLoginFlowRequestSchema } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { SubmitRecoveryFlowRequestSchema } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { SubmitRegistrationFlowRequestSchema } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SubmitSettingsFlowRequestSchema } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { SubmitVerificationFlowRequestSchema } from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { createTokens } from "../../src/crypto/tokens.ts";
import { toValue } from "../../src/transport/rpc/convert/value.ts";
import { freshEmail, goodPassword, register, sessionTokenOf } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";
import { refusal } from "../support/errors.ts";
import { flowKinds, type Shown } from "../support/flow-kinds.ts";
import {
  bySubmitForm,
  byTypedSubmit,
  heldConfig,
  type Seen,
  stagedConfig,
  Walker,
  walkClaim,
  walkConfig,
  walkHeldRecovery,
  walkLogin,
  walkPasskeys,
  walkProof,
  walkProviders,
  walkRecoveryChoice,
  walkRegistration,
  walkRequiredActions,
  walkSecondFactors,
  walkSettings,
  walkSms,
  walkStagedLogin,
  walkStagedRegistration,
} from "../support/form-walks.ts";
import { createPerson } from "../support/person.ts";
import { administer } from "../support/postgres.ts";
import { type SocialApp, startSocialApp } from "../support/social.ts";
import { startThrottledApp } from "../support/throttled.ts";

let app: TestApp;
let staged: TestApp;
let held: TestApp;
let social: SocialApp;
beforeAll(async () => {
  app = await startTestApp({ config: walkConfig });
  staged = await startTestApp({ config: stagedConfig });
  held = await startTestApp({ config: heldConfig });
  social = await startSocialApp({ oidc: { native_return_urls: ["com.example.app:/callback"] } });
});
afterAll(async () => {
  await app.stop();
  await staged.stop();
  await held.stop();
  await social.stop();
});

describe("SubmitForm answers as the typed submit of the flow's kind, step by step", () => {
  const walked: Seen[] = [];
  const walks: readonly (readonly [
    string,
    () => TestApp,
    (app: TestApp, walker: Walker) => Promise<void>,
  ])[] = [
    ["a login", () => app, walkLogin],
    ["a login that asks first who signs in", () => staged, walkStagedLogin],
    ["a registration", () => app, walkRegistration],
    ["a registration with the profile first", () => staged, walkStagedRegistration],
    ["a verification", () => app, (on, walker) => walkProof(on, walker, "verification")],
    ["a recovery", () => app, (on, walker) => walkProof(on, walker, "recovery")],
    [
      "the question whose account it is, after a verification",
      () => app,
      (on, walker) => walkClaim(on, walker, "verification"),
    ],
    [
      "the question whose account it is, after a recovery",
      () => app,
      (on, walker) => walkClaim(on, walker, "recovery"),
    ],
    ["a recovery by one of several addresses, and the new password", () => app, walkRecoveryChoice],
    ["a recovery that waits", () => held, walkHeldRecovery],
    ["settings", () => app, walkSettings],
    ["second factors", () => app, walkSecondFactors],
    ["codes by text message", () => app, walkSms],
    ["passkeys", () => app, walkPasskeys],
    ["required actions", () => app, walkRequiredActions],
  ];

  test.each(walks)("%s", async (_name, on, walk) => {
    const typed = new Walker(on(), byTypedSubmit);
    await walk(on(), typed);
    const formed = new Walker(on(), bySubmitForm);
    await walk(on(), formed);
    expect(formed.seen).toEqual(typed.seen);
    walked.push(...formed.seen);
  });

  test("accounts at other providers", async () => {
    const typed = new Walker(social, byTypedSubmit);
    await walkProviders(social, typed);
    const formed = new Walker(social, bySubmitForm);
    await walkProviders(social, formed);
    expect(formed.seen).toEqual(typed.seen);
    walked.push(...formed.seen);
  });

  test("a login that comes first and what is refused were among them", () => {
    const results = new Set(walked.map(({ result }) => result));
    for (const result of [
      "loginRequired",
      "STEP_NOT_OFFERED",
      "FLOW_COMPLETED",
      "RESEND_TOO_EARLY",
      "CODE_MALFORMED",
    ]) {
      expect(results).toContain(result);
    }
  });

  test("every step of the contract was among them, and was taken at least once", () => {
    const requests: readonly (readonly [FlowKind, DescMessage])[] = [
      [FlowKind.LOGIN, SubmitLoginFlowRequestSchema],
      [FlowKind.REGISTRATION, SubmitRegistrationFlowRequestSchema],
      [FlowKind.VERIFICATION, SubmitVerificationFlowRequestSchema],
      [FlowKind.RECOVERY, SubmitRecoveryFlowRequestSchema],
      [FlowKind.SETTINGS, SubmitSettingsFlowRequestSchema],
    ];
    const taken = walked.filter(({ result }) => /^(completed|nextStep|saved|loginRequired)$/.test(result));
    for (const [kind, request] of requests) {
      const steps = new Set(taken.filter((each) => each.kind === kind).map(({ step }) => step));
      const oneof = request.oneofs.find(({ name }) => name === "step");
      const missing = (oneof?.fields ?? [])
        .map(({ jsonName }) => jsonName)
        .filter((step) => !steps.has(step));
      expect(missing, FlowKind[kind]).toEqual([]);
    }
  });
});

describe.each(protocols)("a name that the form does not have is refused over %s", (protocol) => {
  const names = [
    "traits.nothing",
    "traits",
    "traits.email.0",
    "traits.__proto__.admin",
    "constructor",
    "csrfToken",
    "flowId",
    "password",
  ];

  test("at that name, with the reason UNKNOWN_FIELD, and nothing was done", async () => {
    const flow = await flowKinds.registration.create(app, { client: ClientKind.NATIVE });
    const values = { "traits.email": freshEmail(), "password.password": goodPassword };
    for (const name of names) {
      const filled = { flow, step: "password", values: { ...values, [name]: "x" } };
      expect(await refusal(bySubmitForm(app, filled, { protocol }))).toMatchObject({
        reason: "REQUEST_INVALID",
        violations: [{ field: name, reason: "UNKNOWN_FIELD" }],
      });
    }
    const { outcome } = await bySubmitForm(app, { flow, step: "password", values }, { protocol });
    expect(outcome.case).toBe("completed");
  });

  test("also if it is __proto__, as the bytes of a stranger may have it", async () => {
    const flow = await flowKinds.registration.create(app, { client: ClientKind.NATIVE });
    const values = Object.fromEntries([["__proto__", toValue({ admin: true })]]);
    const client = app.client(FlowService, { protocol });
    const call = client.submitForm({ flowId: flow.id, step: "password", values });
    expect(await refusal(call)).toMatchObject({
      reason: "REQUEST_INVALID",
      violations: [{ field: "__proto__", reason: "UNKNOWN_FIELD" }],
    });
  });
});

/** What a flow can have become meanwhile. */
const states: readonly (readonly [string, string])[] = [
  ["live", "expires_at = expires_at"],
  ["expired", "expires_at = created_at"],
  ["completed", "state = 'completed'"],
];

// Security rule (SR-FLOW-1): a form is for the holder of its flow alone. Nobody else learns which names it has.
describe.each(states)("a stranger learns nothing of the form of a flow that is %s", (_state, change) => {
  const right = { "traits.name": "x", identifier: "x", address: "x" };
  const forms = [
    { step: "password", values: { nothing: "x" } },
    { step: "nothing", values: {} },
    ...Object.entries(right).map(([name, value]) => ({ step: "password", values: { [name]: value } })),
  ];

  test.each(Object.keys(flowKinds) as (keyof typeof flowKinds)[])("in a browser: %s", async (name) => {
    const visitor = new Browser(app.publicUrl);
    if (name === "settings") await signInWith(visitor);
    const own = () => ({ headers: cookiesOf(visitor) });
    const flow = await flowKinds[name].create(
      app,
      { client: ClientKind.BROWSER },
      { ...own(), onCookies: keepIn(visitor) },
    );
    const other = new Browser(app.publicUrl);
    await flowKinds.login.create(app, { client: ClientKind.BROWSER }, { onCookies: keepIn(other) });
    await become(flow, change);
    for (const form of forms) {
      const refusedWith = async (shown: Shown, csrfToken: string) =>
        (await refusal(bySubmitForm(app, { flow: { ...flow, csrfToken }, ...form }, shown))).reason;
      expect(await refusedWith({}, flow.csrfToken)).toBe("FLOW_CLIENT_MISMATCH");
      expect(await refusedWith({ headers: cookiesOf(other) }, flow.csrfToken)).toBe("FLOW_CLIENT_MISMATCH");
      expect(await refusedWith(own(), "")).toBe("CSRF_TOKEN_MISSING");
      expect(await refusedWith(own(), "guessed")).toBe("CSRF_TOKEN_INVALID");
      const foreign = { headers: { ...own().headers, origin: "https://evil.example" } };
      expect(await refusedWith(foreign, flow.csrfToken)).toBe("ORIGIN_NOT_ALLOWED");
    }
  });

  test("settings of a native client, without their owner's session", async () => {
    const [owner, stranger] = [await register(app), await register(app)];
    const bearer = owner.sessionToken;
    const flow = await flowKinds.settings.create(app, { client: ClientKind.NATIVE }, { bearer });
    await become(flow, change);
    for (const form of forms) {
      const refusedWith = async (shown: Shown) =>
        (await refusal(bySubmitForm(app, { flow, ...form }, shown))).reason;
      expect(await refusedWith({})).toBe("SESSION_CREDENTIAL_MISSING");
      expect(await refusedWith({ bearer: stranger.sessionToken })).toBe("FLOW_NOT_FOUND");
    }
  });
});

test("the holder of a flow that is over is told so, for any names that they send", async () => {
  for (const name of ["identifier", "nothing"]) {
    const values = { [name]: "x" };
    const flow = await flowKinds.login.create(app, { client: ClientKind.NATIVE });
    await become(flow, "expires_at = created_at");
    const answer = await bySubmitForm(app, { flow, step: "nothing", values });
    expect(answer.outcome.case).toBe("expired");
    expect(["", undefined, flow.id]).not.toContain(answer.flow?.id);
    const completed = await flowKinds.login.create(app, { client: ClientKind.NATIVE });
    await become(completed, "state = 'completed'");
    expect(await refusal(bySubmitForm(app, { flow: completed, step: "nothing", values }))).toMatchObject({
      reason: "FLOW_COMPLETED",
    });
  }
});

test("a form costs as many round trips as the typed submit", async () => {
  const counts: Record<string, number[]> = {};
  for (const way of [byTypedSubmit, bySubmitForm]) {
    const count = async (name: string, call: () => Promise<unknown>) => {
      app.statements.length = 0;
      await call();
      counts[name] = [...(counts[name] ?? []), app.statements.length];
    };
    const person = await createPerson(app);
    const bearer = await sessionTokenOf(app, person.email);
    const begin = (name: keyof typeof flowKinds) =>
      flowKinds[name].create(app, { client: ClientKind.NATIVE }, { bearer });
    const login = await begin("login");
    const secret = { "password.password": goodPassword };
    await count("login", () =>
      way(app, { flow: login, step: "password", values: { identifier: person.email, ...secret } }),
    );
    const registration = await begin("registration");
    await count("registration", () =>
      way(app, { flow: registration, step: "password", values: { "traits.email": freshEmail(), ...secret } }),
    );
    const recovery = await begin("recovery");
    await count("recovery", () =>
      way(app, { flow: recovery, step: "sendCode", values: { address: person.work } }),
    );
    const verification = await begin("verification");
    await count("verification", () =>
      way(app, { flow: verification, step: "sendCode", values: { address: person.email } }),
    );
    const settings = await begin("settings");
    const values = { "traits.work": freshEmail() };
    await count("settings", () => way(app, { flow: settings, step: "profile", values }, { bearer }));
  }
  for (const [name, [typed, formed]] of Object.entries(counts)) expect([name, formed]).toEqual([name, typed]);
  expect(
    Object.values(counts)
      .flat()
      .every((each) => each > 0),
  ).toBe(true);
});

describe("the same limits count for both", () => {
  let limited: TestApp;
  beforeAll(async () => {
    limited = await startThrottledApp();
  });
  afterAll(() => limited.stop());

  /** How often each way is let through, where they take turns, until the first refusal. */
  async function triesUntilRefused(
    ways: readonly (typeof bySubmitForm)[],
  ): Promise<{ tries: number; reason: string | undefined }> {
    const { email } = await register(limited);
    for (let tries = 0; tries < 200; tries++) {
      const headers = { "x-forwarded-for": `198.51.100.${tries}` };
      const flow = await flowKinds.login.create(limited, { client: ClientKind.NATIVE }, { headers });
      const values = { identifier: email, "password.password": "wrong" };
      const way = ways[tries % ways.length] ?? bySubmitForm;
      const refused = await way(limited, { flow, step: "password", values }, { headers }).then(
        () => undefined,
        (error: unknown) => refusal(Promise.reject(error)),
      );
      if (refused !== undefined) return { tries, reason: refused.reason };
    }
    throw new Error("nothing was refused");
  }

  test("for guesses at an account, also where they take turns", async () => {
    const typed = await triesUntilRefused([byTypedSubmit]);
    expect(typed.reason).toBe("RATE_LIMITED");
    expect(await triesUntilRefused([bySubmitForm])).toEqual(typed);
    expect(await triesUntilRefused([bySubmitForm, byTypedSubmit])).toEqual(typed);
  });
});

test("a request is as large as one with traits may be, and no larger", async () => {
  const flow = await flowKinds.registration.create(app, { client: ClientKind.NATIVE });
  const filled = (length: number) => ({
    flow,
    step: "password",
    values: { "password.password": "x".repeat(length) },
  });
  expect(await refusal(bySubmitForm(app, filled(70_000)))).toMatchObject({
    reason: "REQUEST_INVALID",
    violations: [{ field: "password.password", reason: "TOO_LONG" }],
  });
  expect(await refusal(bySubmitForm(app, filled(90_000)))).toMatchObject({ reason: "REQUEST_TOO_LARGE" });
});

/** Changes one flow as it is stored. */
async function become({ id }: Flow, change: string): Promise<void> {
  const parsed = createTokens().parse("flow", id);
  if (parsed.kind !== "valid") throw new Error(`${id} is no flow's id`);
  await administer(app.databaseUrl, (query) =>
    query(`UPDATE ostiary.flow SET ${change} WHERE digest = $1`, [parsed.digest]),
  );
}

/** Signs somebody in with a browser. */
async function signInWith(visitor: Browser): Promise<void> {
  const { email } = await register(app);
  const onCookies = keepIn(visitor);
  const flow = await flowKinds.login.create(app, { client: ClientKind.BROWSER }, { onCookies });
  const { setCookies } = await visitor.post("/ostiary.flow.v1.FlowService/SubmitForm", {
    flowId: flow.id,
    csrfToken: flow.csrfToken,
    step: "password",
    values: { identifier: email, "password.password": goodPassword },
  });
  expect(setCookies.join()).toContain("ostiary_session=");
}

function keepIn({ cookies }: Browser) {
  return (received: readonly string[]) => {
    for (const cookie of received) cookies.set(...(cookie.split("=", 2) as [string, string]));
  };
}

function cookiesOf({ cookies }: Browser): { readonly cookie: string } {
  return { cookie: [...cookies].map((pair) => pair.join("=")).join("; ") };
}
