import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type AppProcess, sendBytes as send, startProcess } from "./app-process.ts";
import { goodToken, type SessionServer, startSessionServer } from "./session-server.ts";

const unavailable = [
  "onUnavailable rejects",
  "onUnavailable throws",
  "onUnavailable gives a hostile thenable",
] as const;
const failing = [
  "node: throws",
  "node: rejects",
  "node: throws nothing",
  "node: onHandlerError rejects",
  "node: onHandlerError throws",
  "middleware: next throws",
  "middleware: next rejects",
  "Express: a handler throws",
] as const;
const others = [
  "node: throws after a header",
  "node: throws in the middle of an answer",
  "node: throws after an answer",
  "connect",
  "connect over HTTP/2",
] as const;

let ostiary: SessionServer;
/** All the apps, in one process. */
let apps: AppProcess;
let ports: ReadonlyMap<string, number>;
beforeAll(async () => {
  ostiary = await startSessionServer();
  const names = [...unavailable, ...failing, ...others];
  const urlOf = (name: string) => (/^onUnavailable/.test(name) ? "http://127.0.0.1:1" : ostiary.url);
  const words = names.flatMap((name) => [name, urlOf(name)]);
  apps = await startProcess("test/fixtures/guarded-app.ts", words);
  const printed = apps.printed.split(" ").map(Number);
  ports = new Map(names.map((name, index) => [name, printed[index] ?? 0]));
});
afterEach(() => expect(apps.isRunning()).toBe(true));
afterAll(() => {
  apps.stop();
  return ostiary.stop();
});

const portOf = (name: (typeof unavailable | typeof failing | typeof others)[number]) => ports.get(name) ?? 0;

const authorization = `Authorization: Bearer ${goodToken}`;

// Security rule (SR-SDK-1): no request, no callback and no handler ends the process of a guarded app.
describe("the process of a guarded app outlives", () => {
  test.each(unavailable)("%s", async (name) => {
    for (let request = 0; request < 3; request += 1) {
      expect(await send(portOf(name), get("/", authorization))).toMatch(/^HTTP\/1\.1 503 /);
    }
  });

  test.each(failing)("%s", async (name) => {
    const port = portOf(name);
    expect(await send(port, get("/bad", authorization))).toMatch(/^HTTP\/1\.1 500 /);
    expect(await send(port, get("/", authorization))).toMatch(/^HTTP\/1\.1 200 [\s\S]*in/);
  });

  test("node: throws after a header, and sends none of what the handler had set", async () => {
    const port = portOf("node: throws after a header");
    const answer = await send(port, get("/bad", authorization));
    expect(answer).toMatch(/^HTTP\/1\.1 500 [\s\S]*"code":"internal"/);
    expect(answer).not.toMatch(/set-cookie/i);
    expect(answer).not.toContain("thrown by the app");
    expect(await send(port, get("/", authorization))).toMatch(/^HTTP\/1\.1 200 /);
    expect(apps.log()).toContain("thrown by the app after a header");
  });

  test("node: throws in the middle of an answer, which then has no proper end", async () => {
    const port = portOf("node: throws in the middle of an answer");
    const answer = await send(port, get("/bad", authorization));
    expect(answer).not.toMatch(/\r\n0\r\n\r\n$/);
    expect(await send(port, get("/", authorization))).toMatch(/^HTTP\/1\.1 200 /);
  });

  test("node: throws after an answer", async () => {
    const port = portOf("node: throws after an answer");
    expect(await send(port, get("/bad", authorization))).toMatch(/^HTTP\/1\.1 200 /);
    expect(await send(port, get("/", authorization))).toMatch(/^HTTP\/1\.1 200 /);
  });

  test("a request to a Connect service whose host no URL can have, or that has none", async () => {
    const port = portOf("connect");
    for (const host of ["[", "[::1", "%", "", "a:99999", "a/b", "a@b", "a?b", "a b", "http://"]) {
      expect(await send(port, checkHealth("1.1", `Host: ${host}`))).toMatch(/^HTTP\/1\.1 400 /);
    }
    expect(await send(port, checkHealth("1.0", "Accept: */*"))).toMatch(/^HTTP\/1\.1 400 /);
    const good = await send(port, checkHealth("1.1", "Host: localhost"));
    expect(good).toMatch(/^HTTP\/1\.1 200 [\s\S]*SERVING/);
  });

  test("a path that no URL can have, sent to a Connect service", async () => {
    const port = portOf("connect");
    const bad = checkHealth("1.1", "Host: localhost").replace(healthPath, "http://[");
    expect(await send(port, bad)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await send(port, checkHealth("1.1", "Host: localhost"))).toMatch(/^HTTP\/1\.1 200 /);
  });

  test("the same over HTTP/2", async () => {
    const port = portOf("connect over HTTP/2");
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const status = async (authority: string) => {
      const headers = { ":method": "POST", ":path": healthPath, ":authority": authority };
      const more = { "content-type": "application/json", authorization: `Bearer ${goodToken}` };
      const stream = session.request({ ...headers, ...more });
      stream.end("{}");
      const [received] = (await once(stream, "response")) as [{ ":status"?: number }];
      return received[":status"];
    };
    expect(await Promise.all(["[", "%", "[::1"].map(status))).toEqual([400, 400, 400]);
    expect(await status("localhost")).toBe(200);
    session.destroy();
  });
});

const healthPath = "/grpc.health.v1.Health/Check";

function checkHealth(version: string, host: string): string {
  const headers = [host, authorization, "Content-Type: application/json", "Content-Length: 2"];
  return `POST ${healthPath} HTTP/${version}\r\n${headers.join("\r\n")}\r\nConnection: close\r\n\r\n{}`;
}

function get(path: string, header: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${header}\r\nConnection: close\r\n\r\n`;
}
