import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FormMessageType } from "../../gen/ostiary/flow/v1/form_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { VerificationService } from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword, sessionTokenOf } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";

/** The outcome of a submit, as much as is compared here. */
interface Said {
  readonly case: string | undefined;
  readonly reason: string;
  readonly messages: readonly number[];
}

interface Answer {
  readonly flow?: Flow | undefined;
  readonly outcome: { readonly case: string | undefined; readonly value?: object };
}

function said({ flow, outcome }: Answer): Said {
  const { reason = RejectionReason.UNSPECIFIED } = (outcome.value ?? {}) as { reason?: RejectionReason };
  const form = flow?.form;
  const nodes = form?.nodes.flatMap((node) => node.messages) ?? [];
  const messages = [...nodes, ...(form?.messages ?? [])].filter(({ type }) => type === FormMessageType.ERROR);
  return {
    case: outcome.case,
    reason: reason === RejectionReason.UNSPECIFIED ? "" : RejectionReason[reason],
    messages: messages.map(({ id }) => id),
  };
}

const code = { case: "sendCode", value: {} } as const;

/** What each flow says of an address. */
const asks: Record<string, (app: TestApp, email: string) => Promise<Said>> = {
  "login by code": async (app, identifier) => {
    const client = app.client(LoginService);
    const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
    return said(await client.submitLoginFlow({ flowId: flow?.id ?? "", identifier, step: code }));
  },
  recovery: async (app, address) => {
    const client = app.client(RecoveryService);
    const { flow } = await client.createRecoveryFlow({ client: ClientKind.NATIVE });
    return said(await client.submitRecoveryFlow({ flowId: flow?.id ?? "", address, step: code }));
  },
  verification: async (app, address) => {
    const client = app.client(VerificationService);
    const { flow } = await client.createVerificationFlow({ client: ClientKind.NATIVE });
    return said(await client.submitVerificationFlow({ flowId: flow?.id ?? "", address, step: code }));
  },
  registration: async (app, email) => {
    const client = app.client(RegistrationService);
    const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
    const step = { case: "password", value: { password: goodPassword } } as const;
    return said(await client.submitRegistrationFlow({ flowId: flow?.id ?? "", traits: { email }, step }));
  },
  "a change of the address": async (app, email) => {
    const own = await verifiedAccount(app);
    const client = app.client(SettingsService, { bearer: await sessionTokenOf(app, own) });
    const { flow } = await client.createSettingsFlow({ client: ClientKind.NATIVE });
    const step = { case: "profile", value: {} } as const;
    return said(await client.submitSettingsFlow({ flowId: flow?.id ?? "", traits: { email }, step }));
  },
};

const neutral: Said = { case: "nextStep", reason: "", messages: [] };

/** What friendly answers say of an address that nobody has, and of one that somebody has. */
const friendly: Record<string, { readonly unknown: Said; readonly known: Said }> = {
  "login by code": {
    unknown: { case: "rejected", reason: "IDENTITY_NOT_FOUND", messages: [4000035] },
    known: neutral,
  },
  recovery: {
    unknown: { case: "rejected", reason: "IDENTITY_NOT_FOUND", messages: [4000037] },
    known: neutral,
  },
  verification: {
    unknown: { case: "rejected", reason: "IDENTITY_NOT_FOUND", messages: [4000037] },
    known: neutral,
  },
  registration: {
    unknown: neutral,
    known: { case: "rejected", reason: "IDENTIFIER_TAKEN", messages: [4000007] },
  },
  "a change of the address": {
    unknown: neutral,
    known: { case: "rejected", reason: "IDENTIFIER_TAKEN", messages: [4000007] },
  },
};

async function verifiedAccount(app: TestApp): Promise<string> {
  const email = freshEmail();
  await app.client(IdentityService).createIdentity({
    traits: { email },
    verifiedAddresses: [{ value: email }],
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
  return email;
}

const flows = { registration: { address_proof: "before_session" } };

describe("with nothing configured", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp({ config: { tenant_defaults: { flows } } });
  });
  afterAll(() => app.stop());

  test.each(Object.keys(asks))("%s says the same of every address (V6.3.8, SR-ENUM-1)", async (name) => {
    const known = await asks[name]?.(app, await verifiedAccount(app));
    expect([known, await asks[name]?.(app, freshEmail())]).toEqual([neutral, neutral]);
  });
});

describe("with enumeration_safe: false", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp({ config: { tenant_defaults: { flows, enumeration_safe: false } } });
  });
  afterAll(() => app.stop());

  test.each(Object.keys(asks))("%s says what is known of an address", async (name) => {
    const unknown = freshEmail();
    expect(await asks[name]?.(app, unknown)).toEqual(friendly[name]?.unknown);
    const known = await verifiedAccount(app);
    expect(await asks[name]?.(app, known)).toEqual(friendly[name]?.known);
    // Where the flow says it, no message has to.
    const templates = (await app.messages(known)).map(({ template }) => template);
    expect(templates).not.toContain("registration_taken");
  });

  test("an inactive account is answered as none, and a wrong password still says nothing", async () => {
    const email = await verifiedAccount(app);
    const client = app.client(IdentityService);
    const { identity } = await client.lookUpIdentity({ by: { case: "identifier", value: email } });
    await client.deactivateIdentity({ identityId: identity?.id ?? "" });
    for (const name of ["login by code", "recovery", "verification"]) {
      expect(await asks[name]?.(app, email)).toEqual(friendly[name]?.unknown);
    }
    const login = app.client(LoginService);
    const answers = [];
    for (const identifier of [email, freshEmail(), await verifiedAccount(app)]) {
      const { flow } = await login.createLoginFlow({ client: ClientKind.NATIVE });
      const step = { case: "password", value: { password: "not the password" } } as const;
      answers.push(said(await login.submitLoginFlow({ flowId: flow?.id ?? "", identifier, step })));
    }
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  });
});
