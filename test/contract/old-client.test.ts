import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createFileRegistry, type DescService, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { describeForm } from "../../sdk/typescript/src/form.ts";
import { createOstiary, submit } from "../../sdk/typescript/src/index.ts";
import { goodPassword, register } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp, transportOf } from "../support/app.ts";
import { startNewerServer } from "./newer-server.ts";

/*
 * A client that was built before a method, its stage, its node and its outcome existed gets through them: it draws what it knows
 * and sends it with SubmitForm.
 */

/** What the check for breaking changes compares with. */
const baseline = readFileSync("buf.baseline.binpb");

let app: TestApp;
let newer: Awaited<ReturnType<typeof startNewerServer>>;
beforeAll(async () => {
  app = await startTestApp();
  newer = await startNewerServer(app);
});
afterAll(async () => {
  await newer.stop();
  await app.stop();
});

/** The baseline; one of before SubmitForm has no clients that could walk, and the contract as it stands takes its place. */
function imageOfTheContract(): Uint8Array {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, baseline));
  if (registry.getService("ostiary.flow.v1.FlowService")?.method.submitForm !== undefined) return baseline;
  const format = ["build", "proto", "--output", "-#format=binpb"];
  return execFileSync("node_modules/.bin/buf", format, { maxBuffer: 32 << 20 });
}

/** What a program without generated code sees of a flow. */
interface DrawnFlow {
  readonly id: string;
  readonly stage: { readonly case: string | undefined };
  readonly form?: {
    readonly nodes: readonly {
      readonly name: string;
      readonly step: string;
      readonly kind: { readonly case: string | undefined };
      readonly $unknown?: readonly { readonly no: number }[];
    }[];
  };
}

interface Answer {
  readonly flow?: DrawnFlow;
  readonly outcome: { readonly case: string | undefined; readonly value?: unknown };
}

type Calls = Readonly<Record<string, (request: object) => Promise<unknown>>>;

async function call(client: Calls, name: string, request: object): Promise<Answer> {
  const method = client[name];
  if (method === undefined) throw new Error(`the image has no ${name}`);
  return (await method(request)) as Answer;
}

/** A client that knows the image alone. */
class OldClient {
  readonly #flows: Calls;
  readonly #logins: Calls;
  readonly drawn: string[] = [];
  readonly pressed: string[] = [];
  readonly outcomes: (string | undefined)[] = [];

  constructor(image: Uint8Array, baseUrl: string, protocol: (typeof protocols)[number]) {
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
    const transport = transportOf(protocol, baseUrl, undefined);
    const clientOf = (name: string) => {
      const service: DescService | undefined = registry.getService(`ostiary.flow.v1.${name}`);
      if (service === undefined) throw new Error(`the image has no ${name}`);
      return createClient(service, transport) as Calls;
    };
    this.#flows = clientOf("FlowService");
    this.#logins = clientOf("LoginService");
  }

  async begin(): Promise<DrawnFlow> {
    const { flow } = await call(this.#logins, "createLoginFlow", { client: ClientKind.NATIVE });
    if (flow === undefined) throw new Error("there is no flow");
    return flow;
  }

  /** Draws the nodes that it knows, fills them in with what somebody types, and presses the first button. */
  async goOn(flow: DrawnFlow, typed: Readonly<Record<string, string>>): Promise<Answer> {
    const nodes = (flow.form?.nodes ?? []).filter(({ kind }) => kind.case !== undefined);
    const button = nodes.find(({ kind }) => kind.case === "button");
    if (button === undefined) throw new Error("there is nothing to press");
    const fields = nodes.filter(({ kind }) => kind.case === "input");
    this.drawn.push(fields.map(({ name }) => name).join(" "));
    this.pressed.push(button.step);
    const values = fields.map(({ name }) => [
      name,
      { kind: { case: "stringValue", value: typed[name] ?? "" } },
    ]);
    const request = { flowId: flow.id, step: button.step, values: Object.fromEntries(values) };
    const answer = await call(this.#flows, "submitForm", request);
    this.outcomes.push(answer.outcome.case);
    return answer;
  }
}

describe.each(protocols)("over %s", (protocol) => {
  test("a client of the baseline walks through a method that is newer, to completed, by SubmitForm alone", async () => {
    const { email } = await register(app);
    const client = new OldClient(imageOfTheContract(), newer.urlFor(protocol), protocol);
    const typed = { "telepathy.name": "Ada", identifier: email, "password.password": goodPassword };
    let flow: DrawnFlow | undefined = await client.begin();
    // What is new is there, and unknown to it.
    expect(flow.stage.case).toBeUndefined();
    const unknown = flow.form?.nodes.filter(({ kind }) => kind.case === undefined) ?? [];
    expect(unknown.map(({ name }) => name)).toEqual(["telepathy.thought"]);
    let answer: Answer | undefined;
    for (let steps = 0; flow !== undefined && steps < 10; steps++) {
      answer = await client.goOn(flow, typed);
      flow = answer.flow;
    }
    expect(client.drawn).toEqual(["telepathy.name", "identifier password.password"]);
    expect(client.pressed).toEqual(["telepathy", "password"]);
    expect(client.outcomes).toEqual([undefined, "completed"]);
    const completed = answer?.outcome.value as { readonly signedIn: { readonly sessionToken: string } };
    const { sessionToken: token } = completed.signedIn;
    const { session } = await app.client(SessionService).checkSession({ token });
    expect(session?.id).toBeDefined();
  });
});

test("so does a page that is drawn by the SDK of today", async () => {
  const { email } = await register(app);
  const ostiary = createOstiary({ baseUrl: newer.urlFor("Connect JSON") });
  const { flow: begun } = await ostiary.login.createLoginFlow({ client: ClientKind.NATIVE });
  if (begun === undefined) throw new Error("there is no flow");
  const typed: Record<string, string> = {
    "telepathy.name": "Ada",
    identifier: email,
    "password.password": goodPassword,
  };
  const outcomes = [];
  let flow: Flow | undefined = begun;
  for (let steps = 0; flow !== undefined && steps < 10; steps++) {
    const { parts } = describeForm(flow, { client: ClientKind.NATIVE });
    const data = new FormData();
    for (const { name } of parts.flatMap(({ fields }) => fields)) data.append(name, typed[name] ?? "");
    const [button] = parts.flatMap(({ buttons }) => buttons);
    const outcome = await submit(ostiary, flow, data, button?.step ?? "");
    outcomes.push(outcome.kind);
    flow = outcome.kind === "completed" ? undefined : outcome.flow;
  }
  // An outcome that it does not know is a form to draw.
  expect(outcomes).toEqual(["next_step", "completed"]);
});
