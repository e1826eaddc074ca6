import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Health } from "../../gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { CourierService } from "../../gen/ostiary/courier/v1/courier_service_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { VerificationService } from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { SessionFeedService } from "../../gen/ostiary/session/v1/session_feed_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { createServerDatabase, type TestDatabase } from "../support/database.ts";
import { type ServerProcess, servingFrom, startServerProcess } from "../support/server-process.ts";
import { Inputs, type Step } from "./fuzz-inputs.ts";
import { Random } from "./fuzz-random.ts";

/** Another one is tried by FUZZ_SEED; for as long as one likes by FUZZ_SECONDS. */
const { FUZZ_SEED, FUZZ_SECONDS } = process.env;
const seed = Number(FUZZ_SEED ?? 20_261_128);
const budgetMs = Number(FUZZ_SECONDS ?? 20) * 1_000;
/** What a machine that does something else beside it tries in 20 seconds: one with more time has tried enough. */
const enough = FUZZ_SECONDS === undefined ? 2_500 : Number.POSITIVE_INFINITY;
const connections = 16;

const everywhere = [Health, ServerReflection];
const flows = [LoginService, RecoveryService, RegistrationService, SettingsService, VerificationService];
const publicServices = [...everywhere, SessionService, SessionFeedService, ...flows];
const adminServices = [...everywhere, IdentityService, SessionAdminService, ApiKeyService, CourierService];

let database: TestDatabase & { readonly adminKey: string };
let server: ServerProcess;
beforeAll(async () => {
  database = await createServerDatabase();
  server = await startServerProcess(["--log-level", "debug"], {
    ...servingFrom(database),
    // What is throttled would not reach what is to be tried.
    OSTIARY_TENANT_DEFAULTS_THROTTLE_ENABLED: "false",
  });
});
afterAll(async () => {
  await server.end("SIGTERM");
  await database.drop();
});

test(
  "security rule (SR-INPUT-3): whatever bytes strangers send, the same process serves, and its log has no error",
  async () => {
    process.stderr.write(`fuzz: seed ${seed}, at most ${budgetMs / 1_000} s\n`);
    const printed = server.output();
    const random = new Random(seed);
    const targets = [
      { port: portOf(server.publicUrl), inputs: new Inputs(random, publicServices, database.adminKey) },
      { port: portOf(server.adminUrl), inputs: new Inputs(random, adminServices) },
    ];
    const until = performance.now() + budgetMs;
    let tried = 0;
    const stranger = async () => {
      while (tried < enough && performance.now() < until && server.child.exitCode === null) {
        const target = targets[tried++ % targets.length];
        if (target !== undefined) await play(target.port, target.inputs.next());
      }
    };
    await Promise.all(Array.from({ length: connections }, stranger));

    expect(
      server.child.exitCode,
      `ended after ${tried} connections: ${server.log().slice(-2_000)}`,
    ).toBeNull();
    for (const url of [server.publicUrl, server.adminUrl]) {
      expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    }
    expect(server.output()).toBe(printed);
    const lines = server
      .log()
      .split("\n")
      .filter((line) => line !== "");
    expect(lines.filter((line) => !isOrdinary(line)).slice(0, 5)).toEqual([]);
    // Control: the inputs were calls as well, and some of them were carried out.
    const metrics = await (await fetch(`${server.adminUrl}/metrics`)).text();
    const calls = [
      ...metrics.matchAll(
        /^rpc_server_call_duration_seconds_count\{.*?(?:rpc_status_code="(\w+)".*)?\} (\d+)$/gm,
      ),
    ].map(([, code = "ok", number]) => ({ code: code.toLowerCase(), number: Number(number) }));
    const count = (code: string) =>
      sum(calls.filter((each) => each.code === code).map(({ number }) => number));
    process.stderr.write(`fuzz: ${tried} connections, ${sum(calls.map(({ number }) => number))} calls\n`);
    expect(count("ok")).toBeGreaterThan(5);
    expect(count("invalid_argument")).toBeGreaterThan(5);
    expect(count("internal")).toBe(0);
  },
  budgetMs + 60_000,
);

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Whether a line is JSON of a level below error. */
function isOrdinary(line: string): boolean {
  try {
    const { level } = JSON.parse(line) as { level: unknown };
    return level === "debug" || level === "info" || level === "warn";
  } catch {
    return false;
  }
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

async function play(port: number, steps: readonly Step[]): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1" });
  // Refused, reset or closed early: all of that is the server's right.
  socket.on("error", () => {});
  let received = 0;
  socket.on("data", (chunk: Buffer) => {
    received += chunk.length;
  });
  for (const step of steps) {
    if (socket.destroyed) break;
    if (step.kind === "write") await written(socket, step.bytes);
    else if (step.kind === "read") await readUntil(socket, () => received >= step.bytes);
    else if (step.kind === "end") socket.end();
    else socket.resetAndDestroy();
  }
  await readUntil(socket, () => socket.destroyed);
  socket.destroy();
}

/** Writes, and goes on after a while if the server does not take it. */
function written(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      socket.off("close", finish);
      resolve();
    };
    const timer = setTimeout(finish, 200);
    socket.once("close", finish);
    socket.write(bytes, finish);
  });
}

/** Waits for data until there is enough, at most for as long as an ordinary answer takes. */
function readUntil(socket: Socket, isEnough: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (isEnough() || socket.destroyed) finish();
    };
    const finish = () => {
      clearTimeout(timer);
      socket.off("data", look).off("close", finish);
      resolve();
    };
    const timer = setTimeout(finish, 50);
    socket.on("data", look).on("close", finish);
    look();
  });
}
