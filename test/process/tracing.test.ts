import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type Collector, startCollector } from "../support/collector.ts";
import { createServerDatabase, type TestDatabase } from "../support/database.ts";
import { runProgram } from "../support/foreign.ts";
import { type ServerProcess, servingFrom, startServerProcess } from "../support/server-process.ts";

let database: TestDatabase;
let collector: Collector;
const running: ServerProcess[] = [];

beforeAll(async () => {
  database = await createServerDatabase();
  collector = await startCollector();
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.end("SIGTERM")));
});

afterAll(async () => {
  await collector.close();
  await database.drop();
});

const variables = (more: Record<string, string>) => ({
  ...servingFrom(database),
  ...more,
});

async function serve(more: Record<string, string>): Promise<ServerProcess> {
  const server = await startServerProcess([], variables(more));
  running.push(server);
  return server;
}

async function call(server: ServerProcess, method: string, body: object, headers: object = {}) {
  const response = await fetch(`${server.publicUrl}/ostiary.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return (await response.json()) as { flow?: { id: string } };
}

describe("with OTEL_EXPORTER_OTLP_ENDPOINT", () => {
  test("each call arrives as a span below its caller's, without secrets, also the last ones", async () => {
    const server = await serve({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_SERVICE_NAME: "doorkeeper",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
    });
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const parentId = "b7ad6b7169203331";
    const { flow } = await call(
      server,
      "flow.v1.LoginService/CreateLoginFlow",
      { client: "CLIENT_KIND_NATIVE" },
      { traceparent: `00-${traceId}-${parentId}-01` },
    );
    const login = {
      flowId: flow?.id,
      identifier: "ada@example.com",
      password: { password: "correct horse battery" },
    };
    await call(server, "flow.v1.LoginService/SubmitLoginFlow", login, { traceparent: "not a traceparent" });
    await call(server, "session.v1.SessionService/CheckSession", { token: "ost_ses_none" });
    await call(server, "flow.v1.NoService/Nothing", {});
    expect(await server.end("SIGTERM")).toBe(0);

    expect(collector.spans.map(({ name }) => name)).toEqual([
      "ostiary.flow.v1.LoginService/CreateLoginFlow",
      "ostiary.flow.v1.LoginService/SubmitLoginFlow",
      "ostiary.session.v1.SessionService/CheckSession",
      "_OTHER",
    ]);
    const [create, submit, check, unknown] = collector.spans;
    expect(create).toMatchObject({
      traceId,
      parentId,
      resource: { "service.name": "doorkeeper", "deployment.environment.name": "test" },
      attributes: {
        "rpc.system.name": "connectrpc",
        "rpc.method": "ostiary.flow.v1.LoginService/CreateLoginFlow",
      },
    });
    expect(create?.attributes).not.toHaveProperty("rpc.status_code");
    expect(collector.spans.filter(({ attributes }) => "client.address" in attributes)).toEqual([]);
    expect(submit?.traceId).toMatch(/^(?!0+$)[0-9a-f]{32}$/);
    expect(submit).toMatchObject({ parentId: "" });
    expect(check?.attributes["rpc.status_code"]).toBe("unauthenticated");
    // An answer, and no failure of the server.
    expect(check?.attributes).not.toHaveProperty("error.type");
    expect(unknown).toMatchObject({
      name: "_OTHER",
      attributes: {
        "rpc.method": "_OTHER",
        "rpc.method_original": "ostiary.flow.v1.NoService/Nothing",
        "rpc.status_code": "unimplemented",
        "error.type": "unimplemented",
      },
    });

    // The last metrics and lines arrive as well, and so do all names that the page of Prometheus has.
    const { metrics, logs } = collector;
    const byName = new Map(metrics.map((each) => [each.name, each]));
    expect(byName.get("rpc.server.call.duration")).toMatchObject({ kind: "histogram", unit: "s" });
    expect(byName.get("rpc.server.call.duration")?.points).toContainEqual({
      "rpc.system.name": "connectrpc",
      "rpc.method": "ostiary.session.v1.SessionService/CheckSession",
      "rpc.status_code": "unauthenticated",
    });
    expect(byName.get("ostiary.flow.steps")).toMatchObject({
      kind: "sum",
      points: [{ kind: "login", method: "password", outcome: "rejected", reason: "CREDENTIALS_INVALID" }],
    });
    expect(byName.get("ostiary.database.up")?.kind).toBe("gauge");
    expect(logs).toContainEqual(
      expect.objectContaining({
        severity: "INFO",
        body: "call",
        attributes: expect.objectContaining({ method: "ostiary.flow.v1.LoginService/SubmitLoginFlow" }),
      }),
    );

    const sent = Buffer.concat(collector.bodies).toString("latin1");
    for (const secret of ["ada@example.com", "correct horse", flow?.id ?? "?", "ost_ses_"]) {
      expect(sent).not.toContain(secret);
    }
  });

  test("a collector that is away is in the log, and keeps the server neither from serving nor from stopping", async () => {
    const server = await serve({
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
      OTEL_METRIC_EXPORT_INTERVAL: "100",
    });
    const { flow } = await call(server, "flow.v1.LoginService/CreateLoginFlow", {
      client: "CLIENT_KIND_NATIVE",
    });
    expect(flow?.id).toBeDefined();
    await vi.waitFor(() => expect(server.log()).toContain('"message":"telemetry: '), { timeout: 20_000 });
    expect(await server.end("SIGTERM")).toBe(0);
    // Each line of the log is to be sent as well: without an end to it, one failure would be told by the next.
    const lines = server
      .log()
      .split("\n")
      .filter((line) => line.includes("telemetry: "));
    expect(new Set(lines.map((line) => JSON.parse(line).message)).size).toBe(lines.length);
    expect(server.log()).toContain("the last telemetry could not be sent");
    expect(server.output()).toMatch(/Stopped\.\n$/);
  });

  test("a wrong variable is one clear line, and nothing starts", async () => {
    const env = variables({ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" });
    const { failed, stderr } = await runProgram("bin/ostiary", ["serve", "--public-port", "0"], { env });
    expect(failed).toBe(true);
    expect(stderr).toBe(
      "ostiary: OTEL_EXPORTER_OTLP_ENDPOINT: must be a URL such as http://127.0.0.1:4318\n",
    );
  });

  test("a value that the exporter ignores is in the log", async () => {
    const server = await serve({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_EXPORTER_OTLP_TIMEOUT: "soon",
    });
    await server.end("SIGTERM");
    expect(server.log()).toContain("OTEL_EXPORTER_OTLP_TIMEOUT");
  });
});
