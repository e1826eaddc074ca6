import { toJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow, FlowSchema } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { LoginService, type SubmitLoginFlowResponse } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import {
  RecoveryService,
  type SubmitRecoveryFlowResponse,
} from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import {
  type SubmitVerificationFlowResponse,
  VerificationService,
} from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, sessionTokenOf } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { deletePassword } from "../support/credentials.ts";
import { deleteAccount, deletionConfig } from "../support/deletion.ts";
import { refusal } from "../support/errors.ts";
import { settingsAfter, tokenOf } from "../support/links.ts";
import { createPerson, type Person, personSchemas } from "../support/person.ts";

/*
 * Security rule (SR-ENUM-6): the open flow of a stranger does not change when the account does that its code was sent to (ASVS V6.3.8), and
 * that code is dead all the same.
 */

const newPassword = "another harbour lantern";
const pages = Object.fromEntries(
  ["login", "recovery", "verification"].map((kind) => [kind, { ui_url: `https://app.example.com/${kind}` }]),
);
let app: TestApp;
let deletingAtOnce: TestApp;

const start = (gracePeriod: string) => {
  const { account_deletion } = deletionConfig(gracePeriod).tenant_defaults.flows.settings;
  return startTestApp({
    config: {
      tenant_defaults: {
        flows: { ...pages, settings: { account_deletion } },
        identity: { schemas: personSchemas },
        link: { enabled: true },
      },
    },
  });
};

beforeAll(async () => {
  app = await start("720h");
  deletingAtOnce = await start("0s");
});

afterAll(async () => {
  await app.stop();
  await deletingAtOnce.stop();
});

type Step =
  | { readonly case: "code"; readonly value: { readonly code: string } }
  | { readonly case: "sendCode" | "sendLink" | "resend" | "back" | "confirmLink"; readonly value: object };
type Answer = SubmitLoginFlowResponse | SubmitRecoveryFlowResponse | SubmitVerificationFlowResponse;

/** The calls of a kind of flow that sends something to an address. */
interface Kind {
  /** Of which of a person's addresses. */
  readonly address: (person: Person) => string;
  create(on: TestApp, linkToken?: string): Promise<Flow | undefined>;
  get(on: TestApp, flowId: string): Promise<Flow | undefined>;
  submit(on: TestApp, flowId: string, address: string, step: Step): Promise<Answer>;
}

const native = { client: ClientKind.NATIVE };
const kinds: Readonly<Record<string, Kind>> = {
  login: {
    address: ({ email }) => email,
    create: async (on, linkToken) =>
      (await on.client(LoginService).createLoginFlow({ ...native, ...(linkToken && { linkToken }) })).flow,
    get: async (on, flowId) => (await on.client(FlowService).getFlow({ flowId })).flow,
    submit: async (on, flowId, identifier, step) =>
      await on.client(LoginService).submitLoginFlow({ flowId, identifier, step }),
  },
  recovery: {
    address: ({ email }) => email,
    create: async (on, linkToken) =>
      (await on.client(RecoveryService).createRecoveryFlow({ ...native, ...(linkToken && { linkToken }) }))
        .flow,
    get: async (on, flowId) => (await on.client(FlowService).getFlow({ flowId })).flow,
    submit: async (on, flowId, address, step) =>
      await on.client(RecoveryService).submitRecoveryFlow({ flowId, address, step }),
  },
  verification: {
    address: ({ spare }) => spare,
    create: async (on, linkToken) =>
      (
        await on
          .client(VerificationService)
          .createVerificationFlow({ ...native, ...(linkToken && { linkToken }) })
      ).flow,
    get: async (on, flowId) => (await on.client(FlowService).getFlow({ flowId })).flow,
    submit: async (on, flowId, address, step) =>
      await on.client(VerificationService).submitVerificationFlow({ flowId, address, step }),
  },
};

/** The newest code that was really sent to an address. */
async function codeFor(on: TestApp, address: string): Promise<string> {
  const sent = (await on.messages(address)).filter(({ code, suppressed }) => code !== "" && !suppressed);
  return sent.at(-1)?.code ?? "";
}

async function change(on: TestApp, { name }: Person) {
  return on.client(SettingsService, { bearer: await sessionTokenOf(on, name) });
}

async function setOwnPassword(on: TestApp, person: Person): Promise<void> {
  const client = await change(on, person);
  const { flow } = await client.createSettingsFlow(native);
  const step = { case: "password", value: { password: newPassword } } as const;
  const { outcome } = await client.submitSettingsFlow({ flowId: flow?.id ?? "", step });
  expect(outcome.case).toBe("saved");
}

/** `which` of the person's addresses is replaced, and the new one proven. */
async function changeOwnAddress(on: TestApp, person: Person, which: "email" | "spare"): Promise<void> {
  const client = await change(on, person);
  const { flow } = await client.createSettingsFlow(native);
  const flowId = flow?.id ?? "";
  const { id: _id, ...traits } = person;
  const added = freshEmail();
  const step = { case: "profile", value: {} } as const;
  await client.submitSettingsFlow({ flowId, traits: { ...traits, [which]: added }, step });
  const code = { case: "code", value: { code: await codeFor(on, added) } } as const;
  expect((await client.submitSettingsFlow({ flowId, step: code })).outcome.case).toBe("saved");
}

async function recover(on: TestApp, { email }: Person): Promise<void> {
  const client = on.client(RecoveryService);
  const { flow } = await client.createRecoveryFlow(native);
  const flowId = flow?.id ?? "";
  on.clock.advance(1);
  await client.submitRecoveryFlow({ flowId, address: email, step: { case: "sendCode", value: {} } });
  const code = await codeFor(on, email);
  const done = await client.submitRecoveryFlow({ flowId, step: { case: "code", value: { code } } });
  const step = { case: "password", value: { password: newPassword } } as const;
  const settings = on.client(SettingsService);
  const { outcome } = await settings.submitSettingsFlow({ flowId: settingsAfter(done), step });
  expect(outcome.case).toBe("completed");
}

const byOperator = (on: TestApp) => on.client(IdentityService);

type Act = (on: TestApp, person: Person) => Promise<unknown>;
const acts: readonly (readonly [name: string, act: Act])[] = [
  ["sets another password", setOwnPassword],
  ["replaces the address to sign in with", (on, person) => changeOwnAddress(on, person, "email")],
  ["replaces the other address", (on, person) => changeOwnAddress(on, person, "spare")],
  ["recovers the account", recover],
  ["has it deleted in a while", async (on, { name }) => deleteAccount(on, await sessionTokenOf(on, name))],
  ["is deactivated", (on, { id }) => byOperator(on).deactivateIdentity({ identityId: id })],
  [
    "is deactivated and activated again",
    async (on, { id }) => {
      await byOperator(on).deactivateIdentity({ identityId: id });
      await byOperator(on).activateIdentity({ identityId: id });
    },
  ],
  ["is deleted by an operator", (on, { id }) => byOperator(on).deleteIdentity({ identityId: id })],
  [
    "gets another password from an operator",
    (on, { id }) =>
      byOperator(on).setPassword({
        identityId: id,
        password: { value: { case: "password", value: newPassword } },
      }),
  ],
  ["loses the password to an operator", (on, { id }) => deletePassword(byOperator(on), id)],
  [
    "gets other addresses from an operator",
    (on, { id, name, work }) =>
      byOperator(on).updateIdentity({
        identityId: id,
        traitsChange: { case: "traits", value: { name, work, email: freshEmail(), spare: freshEmail() } },
      }),
  ],
];

/** Two flows of a kind: one for an address of an account, and one for an address that nobody has. */
class TwoFlows {
  readonly #on: TestApp;
  readonly #kind: Kind;
  readonly #flows: readonly { readonly id: string; readonly address: string }[];

  private constructor(on: TestApp, kind: Kind, flows: readonly { id: string; address: string }[]) {
    this.#on = on;
    this.#kind = kind;
    this.#flows = flows;
  }

  /** Has a code or link sent to both. */
  static async ask(on: TestApp, kind: Kind, person: Person, by: "sendCode" | "sendLink"): Promise<TwoFlows> {
    on.clock.advance(1);
    const flows = [];
    for (const address of [kind.address(person), freshEmail()]) {
      const flow = await kind.create(on);
      const id = flow?.id ?? "";
      expect((await kind.submit(on, id, address, { case: by, value: {} })).outcome.case).toBe("nextStep");
      flows.push({ id, address });
    }
    return new TwoFlows(on, kind, flows);
  }

  /** Compares what Get shows of both, and gives it. */
  async seen(): Promise<unknown> {
    const shown = [];
    for (const { id, address } of this.#flows) shown.push(plain(await this.#kind.get(this.#on, id), address));
    expect(shown[0]).toEqual(shown[1]);
    return shown[0];
  }

  /** Compares what a step answers in both, and gives its name and reason. */
  async both(step: Step): Promise<string> {
    const answers = [];
    for (const { id, address } of this.#flows) {
      const { flow, outcome } = await this.#kind.submit(this.#on, id, address, step);
      const name = outcome.case === "rejected" ? RejectionReason[outcome.value.reason] : outcome.case;
      answers.push({ name, flow: plain(flow, address) });
    }
    expect(answers[0]).toEqual(answers[1]);
    return answers[0]?.name ?? "";
  }
}

/** A flow without what is random in it. */
function plain(flow: Flow | undefined, address: string): string {
  if (flow === undefined) throw new Error("no flow was shown");
  return JSON.stringify(toJson(FlowSchema, flow)).replaceAll(address, "ADDRESS").replaceAll(flow.id, "ID");
}

async function goesOnAlike(on: TestApp, kind: Kind, act: Act): Promise<void> {
  const person = await createPerson(on, ["email"]);
  const flows = await TwoFlows.ask(on, kind, person, "sendCode");
  const code = await codeFor(on, kind.address(person));
  expect(code).toMatch(/^\d{6}$/);
  const before = await flows.seen();
  await act(on, person);
  expect(await flows.seen()).toEqual(before);
  // The code was right until then.
  expect(await flows.both({ case: "code", value: { code } })).toBe("CODE_INVALID");
  expect(await flows.both({ case: "resend", value: {} })).toBe("RESEND_TOO_EARLY");
  on.clock.advance(31_000);
  expect(await flows.both({ case: "resend", value: {} })).toBe("nextStep");
  await flows.seen();
  const wrong: Step = { case: "code", value: { code: code === "000000" ? "000001" : "000000" } };
  const tries = [];
  for (let count = 0; count < 6; count++) tries.push(await flows.both(wrong));
  expect(tries.at(0)).toBe("CODE_INVALID");
  expect(tries.at(-1)).toBe("CODE_TRIES_EXCEEDED");
  expect(await flows.both({ case: "back", value: {} })).toBe("nextStep");
  await flows.seen();
}

describe.each(Object.entries(kinds))(
  "a stranger's %s that waits for a code goes on as for nobody",
  (_, kind) => {
    test.each(acts)("when its owner %s", (_name, act) => goesOnAlike(app, kind, act));

    test("when its owner has it deleted at once", () =>
      goesOnAlike(deletingAtOnce, kind, async (on, { name }) =>
        deleteAccount(on, await sessionTokenOf(on, name)),
      ));
  },
);

describe.each(Object.entries(kinds))("a stranger's %s that waits for a link", (_, kind) => {
  test.each(acts)("goes on as for nobody when its owner %s, and the link is dead", async (_name, act) => {
    const person = await createPerson(app, ["email"]);
    const flows = await TwoFlows.ask(app, kind, person, "sendLink");
    const token = tokenOf((await app.messages(kind.address(person))).at(-1)?.url ?? "");
    const opened = await kind.create(app, token);
    expect(opened?.stage.case).toBe("confirmLink");
    const before = await flows.seen();
    await act(app, person);
    expect(await flows.seen()).toEqual(before);
    expect((await refusal(kind.create(app, token))).reason).toBe("LINK_INVALID");
    // The reader of the mail opened the flow with the link: that is over.
    const used = await refusal(kind.submit(app, opened?.id ?? "", "", { case: "confirmLink", value: {} }));
    expect(used.reason).toMatch(/^FLOW_(COMPLETED|NOT_FOUND)$/);
    app.clock.advance(31_000);
    expect(await flows.both({ case: "resend", value: {} })).toBe("nextStep");
    expect(await flows.both({ case: "back", value: {} })).toBe("nextStep");
  });
});

test.each(Object.entries(kinds))(
  "a %s whose code died takes another one, where the address is still good",
  async (_, kind) => {
    const person = await createPerson(app, ["email"]);
    const flow = await kind.create(app);
    const id = flow?.id ?? "";
    const address = kind.address(person);
    await kind.submit(app, id, address, { case: "sendCode", value: {} });
    await setOwnPassword(app, person);
    app.clock.advance(31_000);
    expect((await kind.submit(app, id, "", { case: "resend", value: {} })).outcome.case).toBe("nextStep");
    const entered = await kind.submit(app, id, "", {
      case: "code",
      value: { code: await codeFor(app, address) },
    });
    expect(entered.outcome.case).toBe("completed");
  },
);
