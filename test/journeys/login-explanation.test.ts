import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { MethodKind } from "../../gen/ostiary/common/v1/method_kind_pb.js";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginPurpose, LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RequiredActionKind } from "../../gen/ostiary/identity/v1/identity_pb.js";
import {
  LoginPolicyClient as Client,
  type ExplainedProof,
  IdentityService,
  LoginPolicyOutcome as Outcome,
  LoginPolicyRule as Rule,
} from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { AssuranceLevel, type Demand, MethodProperty } from "../../gen/ostiary/option/v1/demand_pb.js";
import { freshEmail, goodPassword, logIn } from "../support/accounts.ts";
import { type Protocol, protocols, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { makeBackupCodes, Settings } from "../support/factors.ts";
import { beginLogin, optionsOf, showPasskey, signedInBy, startPasskeyApp } from "../support/passkeys.ts";
import { SoftwareAuthenticator } from "../support/software-authenticator.ts";
import { TotpDevice } from "../support/totp-device.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startPasskeyApp();
});
afterAll(() => app.stop());
// Codes of one account are of different times.
beforeEach(() => app.clock.advance(60_000));

const admin = () => app.client(IdentityService);
const key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

interface Made {
  readonly password?: boolean;
  readonly totp?: boolean;
  readonly backupCodes?: boolean;
  /** Whether logins ask for it. */
  readonly passkey?: "spare" | "asked" | "asked, second alone";
  readonly unverified?: boolean;
  readonly inactive?: boolean;
}

interface Person extends Made {
  readonly id: string;
  readonly email: string;
  readonly device: SoftwareAuthenticator;
}

async function make(what: Made): Promise<Person> {
  const email = freshEmail();
  const discoverable = what.passkey !== "asked, second alone";
  const device = new SoftwareAuthenticator({ discoverable });
  const elsewhere = device.createElsewhere(Buffer.from(email));
  const { identity } = await admin().createIdentity({
    traits: { email },
    verifiedAddresses: what.unverified ? [] : [{ value: email }],
    credentials: {
      password: what.password ? { value: { case: "password", value: goodPassword } } : undefined,
      totp: what.totp ? { key: { case: "base32", value: key } } : undefined,
      passkeys: what.passkey ? [{ ...elsewhere, discoverable, secondFactor: what.passkey !== "spare" }] : [],
    },
  });
  const person = { ...what, id: identity?.id ?? "", email, device };
  if (what.backupCodes) await makeBackupCodes(await settingsOf(person));
  if (what.inactive) await admin().deactivateIdentity({ identityId: person.id });
  return person;
}

const totp = () => TotpDevice.from(key, () => app.clock.now());

async function settingsOf({ email }: Person): Promise<Settings> {
  const { flow } = await logIn(app, email);
  const second = await app.client(LoginService).submitLoginFlow({
    flowId: flow?.id ?? "",
    step: { case: "totp", value: { code: totp().code() } },
  });
  app.clock.advance(60_000);
  return new Settings(app, signedInBy(second).sessionToken);
}

async function explain(
  { id }: Pick<Person, "id">,
  demands: readonly Pick<Demand, "demand">[] = [],
  protocol: Protocol = "Connect JSON",
) {
  const client = app.client(IdentityService, { protocol });
  return client.explainLoginPolicy({ identityId: id, client: Client.NATIVE, demands: [...demands] });
}

/** Gives a login the proof that was explained. */
async function really(
  person: Person,
  { method, userVerified }: Pick<ExplainedProof, "method" | "userVerified">,
) {
  app.clock.advance(1000);
  const flow = await beginLogin(app);
  const client = app.client(LoginService);
  switch (method) {
    case MethodKind.PASSWORD:
      return logIn(app, person.email);
    case MethodKind.CODE: {
      const { email } = person;
      await client.submitLoginFlow({
        flowId: flow.id,
        identifier: email,
        step: { case: "sendCode", value: {} },
      });
      const code = (await app.messages(email)).findLast(({ template }) => template === "login_code");
      const given = code?.suppressed === false ? code.code : "000000";
      const answer = await client.submitLoginFlow({
        flowId: flow.id,
        step: { case: "code", value: { code: given } },
      });
      return { ...answer.outcome, flow: answer.flow };
    }
    case MethodKind.PASSKEY: {
      const response = person.device.with({ userVerified }).get(optionsOf(flow));
      const answer = await showPasskey(app, flow.id, response);
      return { ...answer.outcome, flow: answer.flow };
    }
    default:
      throw new Error(`there is no login by ${MethodKind[method]}`);
  }
}

const kinds = {
  password: MethodKind.PASSWORD,
  totp: MethodKind.TOTP,
  backupCode: MethodKind.BACKUP_CODE,
  passkey: MethodKind.PASSKEY,
} as const;

/** What a flow that asks for a second factor has on offer. */
function offeredSecond(flow: Flow | undefined): readonly MethodKind[] {
  if (flow?.stage.case !== "chooseMethod" || !flow.stage.value.secondFactor) return [];
  return flow.stage.value.offers.map(({ method }) => kinds[method.case as keyof typeof kinds]);
}

/** Shows a second factor. */
async function showSecond(person: Person, flow: Flow | undefined, method: MethodKind, userVerified: boolean) {
  const flowId = flow?.id ?? "";
  if (method === MethodKind.TOTP) {
    const step = { case: "totp", value: { code: totp().code() } } as const;
    return app.client(LoginService).submitLoginFlow({ flowId, step });
  }
  return showPasskey(app, flowId, person.device.with({ userVerified }).get(optionsOf(flow)));
}

const { SESSION, SECOND_FACTOR, REFUSED } = Outcome;
const inShort = (proofs: readonly ExplainedProof[]) =>
  Object.fromEntries(
    proofs.map(({ method, userVerified, outcome, rule, assuranceLevel, secondFactors }) => [
      `${MethodKind[method]}${userVerified ? " verified" : ""}`,
      [
        `${Outcome[outcome]} ${Rule[rule]}${assuranceLevel ? ` ${AssuranceLevel[assuranceLevel]}` : ""}`,
        ...secondFactors.map(
          (second) =>
            `${MethodKind[second.method]}${second.userVerified ? " verified" : ""} ${AssuranceLevel[second.assuranceLevel]}`,
        ),
      ].join(", "),
    ]),
  );

const missing = "REFUSED CREDENTIAL_MISSING";
const oneFactor = "SESSION ONE_FACTOR_ENOUGH AAL1";
const twoInOne = "SESSION TWO_FACTORS_IN_ONE AAL2";
const asksTotp = "SECOND_FACTOR SECOND_FACTOR_ENROLLED, TOTP AAL2";
const asksPasskey = "SECOND_FACTOR SECOND_FACTOR_ENROLLED, PASSKEY verified AAL2, PASSKEY AAL2";
const inactive = "REFUSED ACCOUNT_INACTIVE";

const accounts: readonly (readonly [string, Made, Readonly<Record<string, string>>])[] = [
  [
    "a password",
    { password: true },
    { PASSWORD: oneFactor, "PASSKEY verified": missing, PASSKEY: missing, CODE: oneFactor },
  ],
  [
    "a password and no verified address",
    { password: true, unverified: true },
    {
      ...{ PASSWORD: oneFactor, "PASSKEY verified": missing, PASSKEY: missing },
      CODE: "REFUSED ADDRESS_NOT_VERIFIED",
    },
  ],
  [
    "nothing but an address",
    {},
    { PASSWORD: missing, "PASSKEY verified": missing, PASSKEY: missing, CODE: oneFactor },
  ],
  [
    "a password and an app",
    { password: true, totp: true },
    { PASSWORD: asksTotp, "PASSKEY verified": missing, PASSKEY: missing, CODE: asksTotp },
  ],
  [
    "a password, an app and backup codes",
    { password: true, totp: true, backupCodes: true },
    {
      ...{ PASSWORD: `${asksTotp}, BACKUP_CODE AAL2`, CODE: `${asksTotp}, BACKUP_CODE AAL2` },
      ...{ "PASSKEY verified": missing, PASSKEY: missing },
    },
  ],
  [
    "a password and a passkey",
    { password: true, passkey: "spare" },
    { PASSWORD: oneFactor, "PASSKEY verified": twoInOne, PASSKEY: oneFactor, CODE: oneFactor },
  ],
  [
    "a password, and a passkey that is asked for",
    { password: true, passkey: "asked" },
    {
      ...{ PASSWORD: asksPasskey, "PASSKEY verified": twoInOne, CODE: asksPasskey },
      PASSKEY: "REFUSED PASSKEY_COMES_SECOND",
    },
  ],
  [
    "a password, and a security key that is asked for",
    { password: true, passkey: "asked, second alone" },
    { PASSWORD: asksPasskey, "PASSKEY verified": missing, PASSKEY: missing, CODE: asksPasskey },
  ],
  [
    "a passkey and an app",
    { passkey: "spare", totp: true },
    {
      ...{ PASSWORD: missing, "PASSKEY verified": twoInOne, PASSKEY: asksTotp },
      CODE: "SECOND_FACTOR SECOND_FACTOR_ENROLLED, PASSKEY verified AAL2, PASSKEY AAL2, TOTP AAL2",
    },
  ],
  [
    "a passkey that is asked for, and nothing else",
    { passkey: "asked", unverified: true },
    {
      ...{ PASSWORD: missing, "PASSKEY verified": twoInOne, PASSKEY: oneFactor },
      CODE: "REFUSED ADDRESS_NOT_VERIFIED",
    },
  ],
  [
    "all of it, and inactive",
    { password: true, passkey: "spare", totp: true, inactive: true },
    { PASSWORD: inactive, "PASSKEY verified": inactive, PASSKEY: inactive, CODE: inactive },
  ],
];

describe.each(accounts)("of an account with %s", (_name, what, expected) => {
  test("what is explained is what a login then does", async () => {
    const person = await make(what);
    const { proofs, unmetDemand } = await explain(person);
    expect(unmetDemand).toBe("");
    expect(inShort(proofs)).toEqual(expected);
    for (const proof of proofs) {
      app.clock.advance(60_000);
      const answer = await really(person, proof);
      const about = `${MethodKind[proof.method]} ${proof.userVerified}`;
      if (proof.outcome === REFUSED) {
        expect(answer.case, about).toBe("rejected");
        continue;
      }
      if (proof.outcome === SESSION) {
        const { session } = signedInBy({ outcome: answer });
        expect(session?.assuranceLevel, about).toBe(proof.assuranceLevel);
        continue;
      }
      expect(proof.outcome, about).toBe(SECOND_FACTOR);
      const second = [...new Set(proof.secondFactors.map(({ method }) => method))];
      expect(second, about).toEqual(offeredSecond(answer.flow));
      const [shown] = proof.secondFactors;
      if (shown === undefined) throw new Error("no second factor is explained");
      const done = await showSecond(person, answer.flow, shown.method, shown.userVerified);
      expect(signedInBy(done).session?.assuranceLevel, about).toBe(shown.assuranceLevel);
    }
  });
});

describe("with a demand", () => {
  const two: Pick<Demand, "demand"> = { demand: { case: "assuranceLevel", value: AssuranceLevel.AAL2 } };
  const phishing: Pick<Demand, "demand"> = {
    demand: { case: "methodProperty", value: MethodProperty.PHISHING_RESISTANT },
  };
  const address: Pick<Demand, "demand"> = {
    demand: { case: "verifiedAddress", value: { $typeName: "ostiary.option.v1.VerifiedAddress", kind: 0 } },
  };

  test.each<[string, Made, readonly Pick<Demand, "demand">[], string]>([
    [
      "two factors, of a spare passkey",
      { password: true, passkey: "spare" },
      [two],
      "SECOND_FACTOR DEMAND, PASSKEY verified AAL2, PASSKEY AAL2",
    ],
    ["two factors, of an app", { password: true, totp: true }, [two], asksTotp],
    ["one factor", { password: true }, [], oneFactor],
    ["a verified address that is there", { password: true }, [address], oneFactor],
  ])("%s: a step-up asks for what was explained", async (_name, what, demands, expected) => {
    const person = await make(what);
    const { proofs } = await explain(person, demands);
    expect(inShort(proofs).PASSWORD).toBe(expected);
    const first = await logIn(app, person.email);
    const done =
      first.case === "completed"
        ? { outcome: first }
        : await showSecond(person, first.flow, MethodKind.TOTP, false);
    const { sessionToken: bearer } = signedInBy(done);
    if (demands.length === 0) return;
    const { flow } = await app.client(LoginService, { bearer }).createLoginFlow({
      client: ClientKind.NATIVE,
      purpose: LoginPurpose.STEP_UP,
      demands: [...demands],
    });
    app.clock.advance(60_000);
    const answer =
      offeredSecond(flow).length > 0
        ? { flow }
        : await app.client(LoginService).submitLoginFlow({
            flowId: flow?.id ?? "",
            step: { case: "password", value: { password: goodPassword } },
          });
    const explained = proofs.find(({ method }) => method === MethodKind.PASSWORD)?.secondFactors ?? [];
    expect([...new Set(explained.map(({ method }) => method))]).toEqual(offeredSecond(answer.flow));
  });

  test.each<[string, Made, Pick<Demand, "demand">, string]>([
    ["a passkey, of an account without", { password: true }, phishing, "methodProperty"],
    [
      "a verified address, of an account without",
      { password: true, unverified: true },
      address,
      "verifiedAddress",
    ],
  ])("%s: no login can meet it, and none begins", async (_name, what, demand, name) => {
    const person = await make(what);
    const { proofs, unmetDemand } = await explain(person, [demand]);
    expect(unmetDemand).toBe(name);
    expect(new Set(proofs.map(({ rule }) => rule))).toEqual(new Set([Rule.DEMAND_NOT_MET]));
    const { sessionToken: bearer } = signedInBy({ outcome: await logIn(app, person.email) });
    const begun = app.client(LoginService, { bearer }).createLoginFlow({
      client: ClientKind.NATIVE,
      purpose: LoginPurpose.STEP_UP,
      demands: [demand],
    });
    expect(await refusal(begun)).toMatchObject({ reason: "STEP_UP_IMPOSSIBLE", metadata: { demand: name } });
  });

  test("two factors, of a password alone: the login would not meet it", async () => {
    const person = await make({ password: true });
    const { proofs } = await explain(person, [two]);
    expect(inShort(proofs).PASSWORD).toBe("REFUSED DEMAND_NOT_MET");
    const { sessionToken: bearer } = signedInBy({ outcome: await logIn(app, person.email) });
    const client = app.client(LoginService, { bearer });
    const stepped = client
      .createLoginFlow({ client: ClientKind.NATIVE, purpose: LoginPurpose.STEP_UP, demands: [two] })
      .then(({ flow }) =>
        client.submitLoginFlow({
          flowId: flow?.id ?? "",
          step: { case: "password", value: { password: goodPassword } },
        }),
      );
    expect(await refusal(stepped)).toMatchObject({ reason: "STEP_UP_IMPOSSIBLE" });
  });

  test("a passkey: nothing else is on offer", async () => {
    const person = await make({ password: true, passkey: "spare", totp: true });
    const { proofs } = await explain(person, [phishing]);
    expect(Object.keys(inShort(proofs))).toEqual(["PASSKEY verified", "PASSKEY"]);
  });
});

test.each(protocols)("is answered over %s, writes nothing, and needs an identity", async (protocol) => {
  const person = await make({ password: true });
  const { length } = app.statements;
  const { proofs } = await explain(person, [], protocol);
  expect(proofs.length).toBeGreaterThan(0);
  const sent = app.statements.slice(length);
  expect(sent.filter((text) => /INSERT|UPDATE|DELETE/.test(text))).toEqual([]);
  const nobody = explain({ id: "01890000-0000-7000-8000-000000000000" }, [], protocol);
  expect((await refusal(nobody)).reason).toBe("IDENTITY_NOT_FOUND");
});

describe("what is to be done before the session", () => {
  test("is explained of each proof that leads to one, and asked for by the login", async () => {
    const person = await make({ password: true, totp: true });
    await admin().setRequiredActions({
      identityId: person.id,
      requiredActions: [{ action: { case: "kind", value: RequiredActionKind.SET_PASSWORD } }],
    });
    const { proofs } = await explain(person);
    const password = proofs.find(({ method }) => method === MethodKind.PASSWORD);
    expect(password?.requiredActions).toEqual([]);
    const kinds = password?.secondFactors.map(({ requiredActions }) =>
      requiredActions.map(({ kind }) => kind),
    );
    expect(kinds).toEqual([[RequiredActionKind.SET_PASSWORD]]);
    const { flow } = await logIn(app, person.email);
    const done = await showSecond(person, flow, MethodKind.TOTP, false);
    expect(done.outcome.case).toBe("nextStep");
    expect(done.flow?.stage).toMatchObject({
      case: "requiredAction",
      value: { action: { kind: RequiredActionKind.SET_PASSWORD } },
    });
  });
});

describe.each([
  ["required", "SECOND_FACTOR POLICY_REQUIRED, PASSKEY verified AAL2, PASSKEY AAL2", asksTotp],
  ["optional", oneFactor, oneFactor],
] as const)("where second factors are %s", (policy, ofPasskey, ofApp) => {
  let usual: TestApp;
  beforeAll(async () => {
    usual = app;
    app = await startPasskeyApp({ second_factor: { policy } });
  });
  afterAll(async () => {
    await app.stop();
    app = usual;
  });

  test.each<[string, Made, string]>([
    ["a spare passkey", { password: true, passkey: "spare" }, ofPasskey],
    ["an app", { password: true, totp: true }, ofApp],
  ])("%s is asked for as explained", async (_name, what, expected) => {
    const person = await make(what);
    const { proofs } = await explain(person);
    expect(inShort(proofs).PASSWORD).toBe(expected);
    const answer = await really(person, { method: MethodKind.PASSWORD, userVerified: false });
    const password = proofs.find(({ method }) => method === MethodKind.PASSWORD);
    const second = password?.secondFactors.map(({ method }) => method) ?? [];
    expect(offeredSecond(answer.flow)).toEqual([...new Set(second)]);
    expect(answer.case).toBe(second.length > 0 ? "nextStep" : "completed");
  });
});
