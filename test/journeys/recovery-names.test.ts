import { type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ThrottleService } from "../../gen/ostiary/access/v1/throttle_service_pb.js";
import { ClientKind, type Flow, FlowSchema } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import {
  RecoveryService,
  type SubmitRecoveryFlowRequestSchema,
} from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { AddressKind } from "../../gen/ostiary/option/v1/demand_pb.js";
import { freshEmail } from "../support/accounts.ts";
import { type Protocol, protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { createPerson, personSchemas } from "../support/person.ts";
import { administer } from "../support/postgres.ts";

const code = { case: "sendCode", value: {} } as const;
const codeTo = (addressId: string) => ({ case: "sendCode", value: { addressId } }) as const;
const back = { case: "back", value: {} } as const;
const resend = { case: "resend", value: {} } as const;

type Step = MessageInitShape<typeof SubmitRecoveryFlowRequestSchema>["step"];

interface Filled {
  readonly address?: string;
}

/** A native recovery, step by step. */
class Recovery {
  readonly #app: TestApp;
  readonly #protocol: Protocol;
  readonly id: string;

  private constructor(app: TestApp, protocol: Protocol, id: string) {
    this.#app = app;
    this.#protocol = protocol;
    this.id = id;
  }

  static async begin(app: TestApp, protocol: Protocol = "Connect JSON"): Promise<Recovery> {
    app.clock.advance(1);
    const client = app.client(RecoveryService, { protocol });
    const { flow } = await client.createRecoveryFlow({ client: ClientKind.NATIVE });
    return new Recovery(app, protocol, flow?.id ?? "");
  }

  async submit(step: Step, filled: Filled = {}) {
    // Messages are told apart by their time.
    this.#app.clock.advance(1);
    const client = this.#app.client(RecoveryService, { protocol: this.#protocol });
    const { flow, outcome } = await client.submitRecoveryFlow({ flowId: this.id, step, ...filled });
    return { ...outcome, flow };
  }

  /** The flow after a step. */
  async after(step: Step, filled: Filled = {}): Promise<Flow> {
    const outcome = await this.submit(step, filled);
    if (outcome.case !== "nextStep" || outcome.flow === undefined) {
      throw new Error(`the submit was ${outcome.case}`);
    }
    return outcome.flow;
  }

  /** What a step was rejected with. */
  async rejection(step: Step, filled: Filled = {}) {
    const outcome = await this.submit(step, filled);
    if (outcome.case !== "rejected") throw new Error(`the submit was ${outcome.case}`);
    const { nodes = [], messages = [] } = outcome.flow?.form ?? {};
    const said = [...nodes.flatMap((node) => node.messages), ...messages].map(({ id }) => id);
    return { reason: RejectionReason[outcome.value.reason], messages: said };
  }
}

function startApp(settings: object = {}, defaultThrottle = false): Promise<TestApp> {
  const identity = { schemas: personSchemas };
  return startTestApp({ defaultThrottle, config: { tenant_defaults: { identity, ...settings } } });
}

/** The newest message to an address; the code is empty if it was only there to be like one that is sent. */
async function newest(app: TestApp, recipient: string) {
  const message = (await app.messages(recipient)).at(-1);
  return { sent: message !== undefined && !message.suppressed, code: message?.code ?? "" };
}

function nodesOf(flow: Flow): readonly string[] {
  return flow.form?.nodes.map(({ name }) => name) ?? [];
}

function valueIn(flow: Flow, name: string): unknown {
  const node = flow.form?.nodes.find((candidate) => candidate.name === name);
  return node?.kind.case === "input" ? node.kind.value.value?.kind.value : undefined;
}

describe("a recovery", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app.stop());

  test.each(protocols)("goes by the user name to the first verified address, over %s", async (protocol) => {
    const { name, email, spare } = await createPerson(app);
    const recovery = await Recovery.begin(app, protocol);
    const flow = await recovery.after(code, { address: ` ${name.toUpperCase()} ` });
    expect(flow.stage).toMatchObject({ case: "enterCode", value: { sentTo: name.toUpperCase() } });
    expect(await app.messages(spare)).toEqual([]);
    const message = await newest(app, email);
    expect(message.sent).toBe(true);
    const outcome = await recovery.submit({ case: "code", value: { code: message.code } });
    expect(outcome).toMatchObject({ case: "completed" });
  });

  test("goes to the very address that was typed, if it is one to recover by, else to the first that is", async () => {
    const { email, spare, work } = await createPerson(app);
    await (await Recovery.begin(app)).after(code, { address: spare });
    expect([(await app.messages(email)).length, (await newest(app, spare)).sent]).toEqual([0, true]);
    await (await Recovery.begin(app)).after(code, { address: work });
    expect([(await newest(app, email)).sent, await app.messages(work)]).toEqual([true, []]);
  });

  test("never goes to an address that was not verified, by whatever it is asked for (SR-OWNER-1)", async () => {
    const second = await createPerson(app, ["spare"]);
    for (const address of [second.name, second.email, second.work]) {
      await (await Recovery.begin(app)).after(code, { address });
    }
    expect((await app.messages(second.spare)).map(({ suppressed }) => suppressed)).toEqual([
      false,
      false,
      false,
    ]);
    expect(await app.messages(second.email)).toEqual([]);
    const none = await createPerson(app, []);
    for (const address of [none.name, none.email, none.spare, none.work]) {
      await (await Recovery.begin(app)).after(code, { address });
      expect((await newest(app, address)).sent).toBe(false);
    }
  });

  test("is not led astray by somebody else who has the address too, without having verified it", async () => {
    const owner = await createPerson(app);
    // Both sign in with nothing of it; the other one claims it as a second address.
    await app
      .client(IdentityService)
      .createIdentity({ traits: { name: `x-${owner.name}`, spare: owner.spare } });
    await (await Recovery.begin(app)).after(code, { address: owner.spare });
    expect((await newest(app, owner.spare)).sent).toBe(true);
  });

  test("says the same of every name, after the same statements (V6.3.8, SR-ENUM-7)", async () => {
    const known = await createPerson(app);
    const inactive = await createPerson(app);
    await app.client(IdentityService).deactivateIdentity({ identityId: inactive.id });
    const unverified = await createPerson(app, []);
    const names = [known.name, known.email, known.spare, known.work, inactive.name, unverified.email];
    const answers = [];
    for (const address of [...names, freshEmail(), "nobody", "+41446681800"]) {
      const recovery = await Recovery.begin(app);
      app.statements.length = 0;
      // There is no choice here, so the id of an address is refused for every name.
      const chosen = await refusal(recovery.submit(codeTo("2"), { address }));
      expect(chosen).toMatchObject({ reason: "FEATURE_OFF", metadata: { field: "sendCode.addressId" } });
      const { id: _id, ...flow } = toJson(FlowSchema, await recovery.after(code, { address })) as {
        id: string;
      };
      const wrong = await recovery.rejection({ case: "code", value: { code: "none" } });
      const said = JSON.stringify(flow).replaceAll(address, "NAME");
      // Of what was typed as a number the budget of its country is read, whoever has it.
      const statements = app.statements.filter((text) => !text.startsWith("SELECT key, spent_until_us"));
      answers.push([said.replaceAll(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, "TIME"), wrong, statements]);
    }
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  });

  test("still wants something to go by", async () => {
    const recovery = await Recovery.begin(app);
    expect(await recovery.rejection(code)).toEqual({ reason: "FORM_INCOMPLETE", messages: [4000002] });
    const invalid = { reason: "FORM_INCOMPLETE", messages: [9000023] };
    expect(await recovery.rejection(code, { address: "no@address@at.all" })).toEqual(invalid);
  });
});

describe("the mailbox of an account with several names", () => {
  let app: TestApp;
  beforeAll(async () => {
    const throttle = {
      recipient: { count: 100, period: "10m" },
      recipient_total: { count: 5, period: "10m" },
    };
    app = await startApp({ throttle }, true);
  });
  afterAll(() => app.stop());

  test("is not flooded through them, and nobody is told which names lead to it", async () => {
    const person = await createPerson(app);
    const waiting = await Recovery.begin(app);
    const asked = async (address: string) => {
      const recovery = await Recovery.begin(app);
      return (await recovery.after(code, { address })).stage.case;
    };
    for (const address of [person.name, person.work]) {
      for (let count = 0; count < 2; count++) expect(await asked(address)).toBe("enterCode");
    }
    await waiting.after(code, { address: person.email });
    const sent = async () =>
      (await app.messages(person.email)).filter(({ suppressed }) => !suppressed).length;
    expect(await sent()).toBe(5);
    // The sixth is answered like the others, whichever name it is asked for by.
    for (const address of [person.name, person.email, person.work]) {
      expect(await asked(address)).toBe("enterCode");
    }
    expect(await sent()).toBe(5);
    // A name is refused after its own five, be it somebody's or nobody's.
    for (const [address, left] of [
      [person.name, 2],
      ["nobody-at-all", 5],
    ] as const) {
      for (let count = 0; count < left; count++) expect(await asked(address)).toBe("enterCode");
      const limited = { reason: "RATE_LIMITED", metadata: { scope: "recipient" } };
      expect(await refusal(asked(address))).toMatchObject(limited);
    }
    expect(await sent()).toBe(5);
    // An operator can see why nothing more arrives, by any of the names.
    const throttle = app.client(ThrottleService);
    const { counters } = await throttle.explainThrottle({ identifier: person.name });
    const mailbox = counters.find(({ limit }) => limit === "mailbox");
    expect(mailbox).toMatchObject({ scope: "recipient", maxCount: 5, usedCount: 5, exhausted: true });
    // What was withheld is sent when it is asked for again in time.
    app.clock.advance(10 * 60_000);
    await waiting.after(resend);
    expect(await sent()).toBe(6);
    const { code: digits } = await newest(app, person.email);
    expect((await waiting.submit({ case: "code", value: { code: digits } })).case).toBe("completed");
  });
});

describe("a code that is alive while its mailbox is flooded", () => {
  let app: TestApp;
  beforeAll(async () => {
    const throttle = {
      recipient: { count: 100, period: "10m" },
      recipient_total: { count: 5, period: "24h" },
    };
    app = await startApp({ throttle }, true);
  });
  afterAll(() => app.stop());

  test("stays good when another one is asked for that is not sent", async () => {
    const person = await createPerson(app);
    const waiting = await Recovery.begin(app);
    await waiting.after(code, { address: person.name });
    const { code: digits } = await newest(app, person.email);
    for (let count = 0; count < 5; count++) {
      await (await Recovery.begin(app)).after(code, { address: person.work });
    }
    app.clock.advance(31_000);
    await waiting.after(resend);
    expect((await newest(app, person.email)).sent).toBe(false);
    expect((await waiting.submit({ case: "code", value: { code: digits } })).case).toBe("completed");
  });
});

describe("with enumeration_safe: false", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ enumeration_safe: false });
  });
  afterAll(() => app.stop());

  const masked = (email: string) => `${email.slice(0, 1)}****@example.com`;

  test.each(protocols)("an account with several addresses offers them, masked, over %s", async (protocol) => {
    const { name, email, spare } = await createPerson(app);
    const recovery = await Recovery.begin(app, protocol);
    const choice = await recovery.after(code, { address: name });
    const { EMAIL } = AddressKind;
    expect(choice.stage).toMatchObject({
      case: "chooseAddress",
      value: {
        offers: [
          {
            method: {
              case: "code",
              value: {
                addresses: [
                  { id: "1", address: masked(email), kind: EMAIL },
                  { id: "2", address: masked(spare), kind: EMAIL },
                ],
              },
            },
          },
        ],
      },
    });
    expect(nodesOf(choice)).toEqual(["sendCode.addressId", "sendCode", "back"]);
    const said = JSON.stringify(toJson(FlowSchema, choice));
    expect([said.includes(email), said.includes(spare)]).toEqual([false, false]);
    expect(await app.messages()).not.toContainEqual(expect.objectContaining({ recipient: email }));

    const waiting = await recovery.after(codeTo("2"));
    expect(waiting.stage).toMatchObject({ case: "enterCode", value: { sentTo: masked(spare) } });
    expect(await app.messages(email)).toEqual([]);
    const { code: digits } = await newest(app, spare);
    expect((await recovery.submit({ case: "code", value: { code: digits } })).case).toBe("completed");
  });

  test("the address that was typed is the one to begin with, and one can go back step by step", async () => {
    const { spare } = await createPerson(app);
    const recovery = await Recovery.begin(app);
    const choice = await recovery.after(code, { address: spare });
    expect(valueIn(choice, "sendCode.addressId")).toBe("2");
    await recovery.after(codeTo("1"));
    const again = await recovery.after(back);
    expect(again.stage).toEqual(choice.stage);
    await recovery.after(codeTo("2"));
    expect((await newest(app, spare)).sent).toBe(true);
    await recovery.after(back);
    const first = await recovery.after(back);
    expect([first.stage.case, valueIn(first, "address")]).toEqual(["chooseMethod", spare]);
  });

  test("one address is no choice, and nobody is told so", async () => {
    const { name, spare } = await createPerson(app, ["spare"]);
    const recovery = await Recovery.begin(app);
    expect((await recovery.after(code, { address: name })).stage.case).toBe("enterCode");
    expect((await newest(app, spare)).sent).toBe(true);
    const none = await createPerson(app, []);
    for (const address of [none.name, none.email, "nobody"]) {
      const rejected = await (await Recovery.begin(app)).rejection(code, { address });
      expect(rejected).toEqual({ reason: "IDENTITY_NOT_FOUND", messages: [4000037] });
    }
  });

  test("only what the flow offered can be chosen, and only while it recovers (SR-ENUM-8)", async () => {
    const person = await createPerson(app);
    const recovery = await Recovery.begin(app);
    await recovery.after(code, { address: person.name });
    const notOffered = { reason: "FORM_INCOMPLETE", messages: [9000041] };
    for (const addressId of ["0", "3", "01", person.spare, "__proto__"]) {
      expect(await recovery.rejection(codeTo(addressId))).toEqual(notOffered);
    }
    const required = { reason: "FORM_INCOMPLETE", messages: [4000002] };
    expect(await recovery.rejection(code, { address: freshEmail() })).toEqual(required);
    expect(await refusal(recovery.submit({ case: "sendLink", value: {} }))).toMatchObject({
      reason: "STEP_NOT_OFFERED",
    });
    const unverify = "UPDATE ostiary.identity_verifiable_address SET verified_at = NULL WHERE value = $1";
    await administer(app.databaseUrl, (query) => query(unverify, [person.spare]));
    expect(await recovery.rejection(codeTo("2"))).toEqual(notOffered);
    expect(await app.messages(person.spare)).toEqual([]);
    await recovery.after(codeTo("1"));
    expect((await newest(app, person.email)).sent).toBe(true);
  });

  test("the choice ends when the addresses of the account change", async () => {
    const person = await createPerson(app);
    const recovery = await Recovery.begin(app);
    await recovery.after(code, { address: person.name });
    await app.client(IdentityService).updateIdentity({
      identityId: person.id,
      traitsChange: {
        case: "traits",
        value: { name: person.name, email: person.email, spare: freshEmail() },
      },
    });
    const notOffered = { reason: "FORM_INCOMPLETE", messages: [9000041] };
    for (const addressId of ["1", "2"]) {
      expect(await recovery.rejection(codeTo(addressId))).toEqual(notOffered);
    }
    const sent = (await app.messages(person.spare)).map(({ template }) => template);
    expect(sent).toEqual(["address_changed"]);
  });

  test("masks are not shown faster than messages are sent", async () => {
    const other = await startApp({
      enumeration_safe: false,
      throttle: { sending: { count: 3, period: "1h" } },
    });
    const ask = async () =>
      (await Recovery.begin(other)).after(code, { address: (await createPerson(other)).name });
    for (let count = 0; count < 3; count++) expect((await ask()).stage.case).toBe("chooseAddress");
    const limited = { reason: "RATE_LIMITED", metadata: { scope: "address" } };
    expect(await refusal(ask())).toMatchObject(limited);
    await other.stop();
  });

  test("one that expired begins anew with what was typed", async () => {
    const { name } = await createPerson(app);
    const recovery = await Recovery.begin(app);
    await recovery.after(code, { address: name });
    app.clock.advance(24 * 60 * 60 * 1000);
    const outcome = await recovery.submit(codeTo("2"));
    if (outcome.case !== "expired" || outcome.flow === undefined) {
      throw new Error(`the submit was ${outcome.case}`);
    }
    const { flow: replacement } = outcome;
    expect([replacement.stage.case, valueIn(replacement, "address")]).toEqual(["chooseMethod", name]);
  });

  test("of 16 choices at the same moment one is sent", async () => {
    const person = await createPerson(app);
    const recovery = await Recovery.begin(app);
    await recovery.after(code, { address: person.name });
    const choices = Array.from({ length: 16 }, (_, count) =>
      recovery.submit(codeTo(count % 2 === 0 ? "1" : "2")),
    );
    const moved = (await Promise.allSettled(choices)).filter(
      (choice) => choice.status === "fulfilled" && choice.value.case === "nextStep",
    );
    expect(moved).toHaveLength(1);
    const sent = [...(await app.messages(person.email)), ...(await app.messages(person.spare))];
    expect(sent).toHaveLength(1);
  });
});
