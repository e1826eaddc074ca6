import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { VerificationService } from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { freshEmail, goodPassword, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({
    defaultThrottle: true,
    config: {
      server: { trusted_proxies: ["127.0.0.1"] },
      tenant_defaults: { throttle: { address: { count: 3, period: "10m" } } },
    },
  });
});
afterAll(() => app.stop());

function clientAt(address: string) {
  return app.client(LoginService, { headers: { "x-forwarded-for": address } });
}

/** Has a code sent, in a flow of its own. */
async function askForCode(identifier: string, address: string): Promise<string> {
  const client = clientAt(address);
  const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
  const flowId = flow?.id ?? "";
  const { outcome } = await client.submitLoginFlow({
    flowId,
    identifier,
    step: { case: "sendCode", value: {} },
  });
  expect(outcome.case).toBe("nextStep");
  return flowId;
}

async function guessPassword(identifier: string, address: string, password = "wrong") {
  const client = clientAt(address);
  const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
  const step = { case: "password", value: { password } } as const;
  return client.submitLoginFlow({ flowId: flow?.id ?? "", identifier, step });
}

function enterCode(flowId: string, code: string, address: string) {
  return clientAt(address).submitLoginFlow({ flowId, step: { case: "code", value: { code } } });
}

/** The newest code that was sent to an address. Messages are told apart by their time, which stands still otherwise. */
async function lastCode(email: string): Promise<string> {
  app.clock.advance(1);
  return (await app.messages(email)).filter(({ code }) => code !== "").at(-1)?.code ?? "";
}

describe("codes that are sent", () => {
  test("are few for one recipient at one address, whether or not anybody has the recipient", async () => {
    const { email } = await register(app);
    const refusals = [];
    for (const [index, identifier] of [email, freshEmail()].entries()) {
      for (let count = 1; count <= 5; count++) await askForCode(identifier, `203.0.113.${index}`);
      const again = askForCode(` ${identifier.toUpperCase()} `, `203.0.113.${index}`);
      refusals.push(await refusal(again));
    }
    expect(refusals[0]).toMatchObject({ reason: "RATE_LIMITED", metadata: { scope: "recipient" } });
    expect(refusals[1]).toEqual(refusals[0]);
  });

  test("have a total for one recipient, from wherever, also when a hundred ask at the same moment", async () => {
    const { email } = await register(app);
    for (const identifier of [email, freshEmail()]) {
      const asked = Array.from({ length: 110 }, (_, count) => askForCode(identifier, `203.0.114.${count}`));
      const outcomes = await Promise.allSettled(asked);
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(100);
    }
  });
});

describe("codes that are tried", () => {
  test("are not stopped by what others of the address do, as long as they are alive", async () => {
    const address = "192.0.2.77";
    const waiting = await askForCode(freshEmail(), address);
    for (let count = 0; count < 3; count++) {
      expect((await guessPassword(freshEmail(), address)).outcome.case).toBe("rejected");
    }
    const scope = { reason: "RATE_LIMITED", metadata: { scope: "address" } };
    expect(await refusal(guessPassword(freshEmail(), address))).toMatchObject(scope);
    for (let count = 0; count < 5; count++) {
      expect((await enterCode(waiting, "000000", address)).outcome.case).toBe("rejected");
    }
    // What cannot be right any more counts for the address like any other guess.
    expect(await refusal(enterCode(waiting, "000000", address))).toMatchObject(scope);
  });

  test("are not counted by account: they let its owner in while others guess, and set nothing back", async () => {
    const { email, continueWith } = await register(app);
    const action = continueWith[0]?.action;
    const verification = action?.case === "verification" ? (action.value.flow?.id ?? "") : "";
    await app.client(VerificationService).submitVerificationFlow({
      flowId: verification,
      step: { case: "code", value: { code: await lastCode(email) } },
    });
    const guess = (address: string, password: string) => guessPassword(email, address, password);
    for (let count = 1; count <= 10; count++) await guess(`198.51.100.${count}`, "wrong");
    const scope = { reason: "RATE_LIMITED", metadata: { scope: "account" } };
    expect(await refusal(guess("198.51.100.11", goodPassword))).toMatchObject(scope);
    const flowId = await askForCode(email, "198.51.100.12");
    const { outcome } = await enterCode(flowId, await lastCode(email), "198.51.100.12");
    expect(outcome.case).toBe("completed");
    const deviceToken = outcome.case === "completed" ? outcome.value.signedIn?.deviceToken : "";
    expect(deviceToken).toMatch(/^ost_dev_/);
    expect(await refusal(guess("198.51.100.13", goodPassword))).toMatchObject(scope);
  });
});
