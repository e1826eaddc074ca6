import { randomBytes } from "node:crypto";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { type Protocol, startTestApp, type TestApp } from "./app.ts";

/** What these servers seal with. */
export const sealingSecret = randomBytes(32).toString("hex");

/** A server with the limits that there are by default, which believes the address that a test names. */
export function startThrottledApp(throttle: object = {}, settings: object = {}): Promise<TestApp> {
  return startTestApp({
    defaultThrottle: true,
    config: {
      server: { trusted_proxies: ["127.0.0.1"] },
      secrets: { sealing: [sealingSecret] },
      tenant_defaults: { throttle, ...settings },
    },
  });
}

let lastAddress = 0;

/** An address of the network that no other test of the file has. */
export function freshAddress(): string {
  lastAddress++;
  return `203.0.${Math.floor(lastAddress / 250)}.${(lastAddress % 250) + 1}`;
}

/** A try to sign in. */
export interface Guess {
  readonly identifier: string;
  readonly password?: string;
  readonly deviceToken?: string;
  readonly from?: string;
  readonly protocol?: Protocol;
}

const flows = new WeakMap<TestApp, Map<string, string>>();

/** Tries to sign in natively from an address, with a flow of that address. */
export async function guess(app: TestApp, attempt: Guess) {
  const { identifier, password = "wrong", deviceToken = "", from = "192.0.2.1" } = attempt;
  const headers = { "x-forwarded-for": from };
  const client = app.client(LoginService, { protocol: attempt.protocol ?? "Connect binary", headers });
  const known = flows.get(app) ?? new Map<string, string>();
  flows.set(app, known);
  const flowId =
    known.get(from) ?? (await client.createLoginFlow({ client: ClientKind.NATIVE })).flow?.id ?? "";
  known.set(from, flowId);
  const { outcome } = await client.submitLoginFlow({
    flowId,
    identifier,
    deviceToken,
    step: { case: "password", value: { password } },
  });
  // A flow that is completed or expired is over.
  if (outcome.case !== "rejected") known.delete(from);
  return outcome;
}
