import { type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow, FlowSchema } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { InputType } from "../../gen/ostiary/flow/v1/form_pb.js";
import {
  LoginPurpose,
  LoginService,
  type SubmitLoginFlowRequestSchema,
} from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { type Protocol, protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { methodsOffered } from "../support/registrations.ts";

type Step = MessageInitShape<typeof SubmitLoginFlowRequestSchema>["step"];

const identify = { case: "identify", value: {} } as const;
const askForCode = { case: "sendCode", value: {} } as const;
const back = { case: "back", value: {} } as const;
const withPassword = (password = goodPassword) => ({ case: "password", value: { password } }) as const;

/** A native login, step by step. */
class Login {
  readonly #app: TestApp;
  readonly #protocol: Protocol;
  readonly id: string;
  readonly flow: Flow | undefined;

  private constructor(app: TestApp, protocol: Protocol, flow: Flow | undefined) {
    this.#app = app;
    this.#protocol = protocol;
    this.flow = flow;
    this.id = flow?.id ?? "";
  }

  static async begin(app: TestApp, protocol: Protocol = "Connect JSON"): Promise<Login> {
    app.clock.advance(1);
    const { flow } = await app
      .client(LoginService, { protocol })
      .createLoginFlow({ client: ClientKind.NATIVE });
    return new Login(app, protocol, flow);
  }

  async submit(step: Step, identifier = "") {
    const client = this.#app.client(LoginService, { protocol: this.#protocol });
    const { flow, outcome } = await client.submitLoginFlow({ flowId: this.id, identifier, step });
    return { ...outcome, flow };
  }

  /** The flow after a step. */
  async after(step: Step, identifier = ""): Promise<Flow> {
    const outcome = await this.submit(step, identifier);
    if (outcome.case !== "nextStep" || outcome.flow === undefined) {
      throw new Error(`the submit was ${outcome.case}`);
    }
    return outcome.flow;
  }

  /** What a step was rejected with. */
  async rejection(step: Step, identifier = "") {
    const outcome = await this.submit(step, identifier);
    if (outcome.case !== "rejected") throw new Error(`the submit was ${outcome.case}`);
    return { reason: RejectionReason[outcome.value.reason], messages: errorsOf(outcome.flow) };
  }
}

/** In place of what is different in every flow. */
const anyFlow = { id: "", createTime: undefined, expireTime: undefined } as const;

function errorsOf(flow: Flow | undefined): readonly number[] {
  const { nodes = [], messages = [] } = flow?.form ?? {};
  return [...nodes.flatMap((node) => node.messages), ...messages].map(({ id }) => id);
}

function nodesOf(flow: Flow | undefined): readonly string[] {
  return flow?.form?.nodes.map(({ name }) => name) ?? [];
}

/** What the node of the identifier holds. */
function identifierOf(flow: Flow | undefined): unknown {
  const node = flow?.form?.nodes.find(({ name }) => name === "identifier");
  return node?.kind.case === "input" ? node.kind.value.value?.kind.value : undefined;
}

/** An account that an operator made. */
async function account(app: TestApp, has: { password?: boolean; verified?: boolean } = {}) {
  const { password = true, verified = true } = has;
  const email = freshEmail();
  const { identity } = await app.client(IdentityService).createIdentity({
    traits: { email },
    verifiedAddresses: verified ? [{ value: email }] : [],
    ...(password && { credentials: { password: { value: { case: "password", value: goodPassword } } } }),
  });
  return { email, id: identity?.id ?? "" };
}

function startIdentifierFirst(settings: object = {}): Promise<TestApp> {
  const flows = { login: { style: "identifier_first" } };
  return startTestApp({ config: { tenant_defaults: { flows, ...settings } } });
}

describe("a login that asks for the identifier first", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startIdentifierFirst();
  });
  afterAll(() => app.stop());

  test.each(protocols)("asks who signs in, then for a proof, over %s", async (protocol) => {
    const { email } = await account(app);
    const login = await Login.begin(app, protocol);
    expect(login.flow?.stage).toMatchObject({ case: "enterIdentifier" });
    expect(nodesOf(login.flow)).toEqual(["identifier", "identify"]);

    const flow = await login.after(identify, ` ${email} `);
    expect(flow.stage.case).toBe("chooseMethod");
    expect(methodsOffered(flow)).toEqual(["password", "code"]);
    expect(nodesOf(flow)).toEqual(["identifier", "password.password", "password", "sendCode", "back"]);
    // Whose login it is can be seen, and be found by a program that keeps passwords, but not be changed.
    const said = flow.form?.account;
    expect([said?.id, said?.text]).toEqual([9000040, `Signing in as ${email}.`]);
    const node = flow.form?.nodes[0]?.kind;
    expect(node).toMatchObject({
      case: "input",
      value: { type: InputType.HIDDEN, autocomplete: "username" },
    });
    expect(identifierOf(flow)).toBe(email);
    // It is the same when the page is loaded again.
    const again = await app.client(FlowService, { protocol }).getFlow({ flowId: login.id });
    expect(again.flow?.form).toEqual(flow.form);

    const completed = await login.submit(withPassword());
    expect(completed).toMatchObject({
      case: "completed",
      value: { signedIn: { identity: { traits: { email } } } },
    });
  });

  test("tries no method before it knows who signs in, and asks that once", async () => {
    const { email } = await account(app);
    const login = await Login.begin(app);
    for (const step of [withPassword(), askForCode, back]) {
      const refused = await refusal(login.submit(step, email));
      expect(refused).toMatchObject({ reason: "STEP_NOT_OFFERED", metadata: { step: step.case } });
    }
    await login.after(identify, email);
    expect(await refusal(login.submit(identify, email))).toMatchObject({ reason: "STEP_NOT_OFFERED" });
    expect((await login.submit(withPassword())).case).toBe("completed");
  });

  test("refuses another identifier beside the proof, and takes the same one however it is written", async () => {
    const [ada, bob] = [await account(app), await account(app)];
    const login = await Login.begin(app);
    await login.after(identify, ada.email);
    const another = { reason: "FORM_INCOMPLETE", messages: [9000044] };
    expect(await login.rejection(withPassword(), bob.email)).toEqual(another);
    expect(await login.rejection(askForCode, bob.email)).toEqual(another);
    const outcome = await login.submit(withPassword(), ada.email.toUpperCase());
    expect(outcome).toMatchObject({ case: "completed", value: { signedIn: { identity: { id: ada.id } } } });
  });

  test("goes back to the identifier with it filled in, and on with another one", async () => {
    const [ada, bob] = [await account(app), await account(app)];
    const login = await Login.begin(app);
    await login.after(identify, ada.email);
    const first = await login.after(back);
    expect([first.stage.case, identifierOf(first)]).toEqual(["enterIdentifier", ada.email]);
    expect(await refusal(login.submit(withPassword(), ada.email))).toMatchObject({
      reason: "STEP_NOT_OFFERED",
    });
    await login.after(identify, bob.email);
    expect(await login.submit(withPassword())).toMatchObject({
      value: { signedIn: { identity: { id: bob.id } } },
    });
  });

  test("signs in by a code, and goes back from it one stage at a time", async () => {
    const { email } = await account(app);
    const login = await Login.begin(app);
    await login.after(identify, email);
    const waiting = await login.after(askForCode);
    expect(waiting.stage).toMatchObject({ case: "enterCode", value: { sentTo: email } });
    expect((await login.after(back)).stage.case).toBe("chooseMethod");
    expect((await login.after(back)).stage.case).toBe("enterIdentifier");
    await login.after(identify, email);
    app.clock.advance(30_000);
    await login.after(askForCode);
    const code = (await app.messages(email)).at(-1)?.code ?? "";
    expect((await login.submit({ case: "code", value: { code } })).case).toBe("completed");
  });

  test("wants an identifier", async () => {
    const login = await Login.begin(app);
    expect(await login.rejection(identify, "  ")).toEqual({ reason: "FORM_INCOMPLETE", messages: [4000002] });
  });

  test("begins an expired one anew at the identifier, with it filled in", async () => {
    const { email } = await account(app);
    const login = await Login.begin(app);
    await login.after(identify, email);
    app.clock.advance(2 * 60 * 60 * 1000);
    const outcome = await login.submit(withPassword());
    if (outcome.case !== "expired") throw new Error(`the submit was ${outcome.case}`);
    const { flow: replacement } = outcome;
    expect([replacement?.stage.case, identifierOf(replacement)]).toEqual(["enterIdentifier", email]);
  });

  test("asks nobody who proves again who they are: the flow knows it", async () => {
    const { email, id } = await account(app);
    const first = await Login.begin(app);
    await first.after(identify, email);
    const signedIn = await first.submit(withPassword());
    if (signedIn.case !== "completed") throw new Error(`the login was ${signedIn.case}`);
    const client = app.client(LoginService, { bearer: signedIn.value.signedIn?.sessionToken });
    const { flow } = await client.createLoginFlow({
      client: ClientKind.NATIVE,
      purpose: LoginPurpose.REFRESH,
    });
    expect(flow?.stage.case).toBe("chooseMethod");
    expect(nodesOf(flow)).toEqual(["password.password", "password", "sendCode"]);
    const { outcome } = await client.submitLoginFlow({ flowId: flow?.id ?? "", step: withPassword() });
    expect(outcome).toMatchObject({ case: "completed", value: { signedIn: { identity: { id } } } });
    const sessions = app.client(SessionService, { bearer: signedIn.value.signedIn?.sessionToken });
    expect(await refusal(sessions.getCurrentSession({}))).toMatchObject({ reason: "SESSION_REVOKED" });
  });

  test("is moved on once by 16 submits at the same moment", async () => {
    const { email } = await account(app);
    const login = await Login.begin(app);
    const submits = Array.from({ length: 16 }, () => login.submit(identify, email));
    const moved = (await Promise.allSettled(submits)).filter(({ status }) => status === "fulfilled");
    expect(moved).toHaveLength(1);
    expect((await login.submit(withPassword())).case).toBe("completed");
  });

  test("answers alike for each name, after the same statements (V6.3.8, SR-FLOW-7)", async () => {
    const [known, weak] = [await account(app), await account(app, { password: false, verified: false })];
    const inactive = await account(app);
    await app.client(IdentityService).deactivateIdentity({ identityId: inactive.id });
    const answers = [];
    for (const name of [known.email, weak.email, inactive.email, freshEmail(), "no@thing@like it"]) {
      const login = await Login.begin(app);
      app.statements.length = 0;
      const chosen = await login.after(identify, name);
      const wrong = await login.rejection(withPassword("not the password"));
      const waiting = await login.after(askForCode);
      const flows = [chosen, waiting].map((flow) => toJson(FlowSchema, { ...flow, ...anyFlow }));
      const said = JSON.stringify(flows).replaceAll(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, "TIME");
      answers.push([said.replaceAll(name, "NAME"), wrong, [...app.statements]]);
    }
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  });
});

test("a login in one step has no step for the identifier", async () => {
  const app = await startTestApp();
  const login = await Login.begin(app);
  expect(login.flow?.stage.case).toBe("chooseMethod");
  expect(await refusal(login.submit(identify, "ada"))).toMatchObject({ reason: "STEP_NOT_OFFERED" });
  await app.stop();
});

test("guesses are counted by the identifier that the flow knows, whether or not anybody has it", async () => {
  const wide = { count: 1_000_000, period: "24h" };
  const app = await startIdentifierFirst({
    throttle: { account: { count: 3, period: "10m" }, address: wide },
  });
  const { email } = await account(app);
  const refusals = [];
  for (const name of [email, freshEmail()]) {
    for (let count = 0; count < 3; count++) {
      const login = await Login.begin(app);
      await login.after(identify, name);
      expect(await login.rejection(withPassword("wrong"))).toMatchObject({ reason: "CREDENTIALS_INVALID" });
    }
    const login = await Login.begin(app);
    // Saying who signs in is no guess.
    await login.after(identify, name.toUpperCase());
    const { metadata, reason } = await refusal(login.submit(withPassword()));
    refusals.push({ metadata, reason });
  }
  const limited = { reason: "RATE_LIMITED", metadata: { scope: "account" } };
  expect(refusals).toEqual([limited, limited]);
  await app.stop();
});

describe("with enumeration_safe: false", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startIdentifierFirst({ enumeration_safe: false });
  });
  afterAll(() => app.stop());

  const nobody = { reason: "IDENTITY_NOT_FOUND", messages: [4000037] };

  test("an identifier that nobody signs in with is not taken", async () => {
    const inactive = await account(app);
    await app.client(IdentityService).deactivateIdentity({ identityId: inactive.id });
    const nothing = await account(app, { password: false, verified: false });
    for (const name of [freshEmail(), inactive.email, nothing.email]) {
      const login = await Login.begin(app);
      expect(await login.rejection(identify, name)).toEqual(nobody);
      expect(await refusal(login.submit(withPassword(), name))).toMatchObject({ reason: "STEP_NOT_OFFERED" });
    }
  });

  test("only what the account has is offered, and nothing else is tried", async () => {
    const cases = [
      { has: { password: false }, methods: ["code"], not: withPassword(), nodes: ["sendCode"] },
      {
        has: { verified: false },
        methods: ["password"],
        not: askForCode,
        nodes: ["password.password", "password"],
      },
    ];
    for (const { has, methods, not, nodes } of cases) {
      const { email } = await account(app, has);
      const login = await Login.begin(app);
      const flow = await login.after(identify, email);
      expect(methodsOffered(flow)).toEqual(methods);
      expect(nodesOf(flow)).toEqual(["identifier", ...nodes, "back"]);
      expect(await refusal(login.submit(not))).toMatchObject({ reason: "STEP_NOT_OFFERED" });
      // Nor is it tried as somebody else's.
      expect(await refusal(login.submit(not, (await account(app)).email))).toMatchObject({
        reason: "STEP_NOT_OFFERED",
      });
    }
  });

  test("an account with both signs in with either", async () => {
    const { email } = await account(app);
    const login = await Login.begin(app);
    const flow = await login.after(identify, email);
    expect(methodsOffered(flow)).toEqual(["password", "code"]);
    expect((await login.submit(withPassword())).case).toBe("completed");
  });
});
