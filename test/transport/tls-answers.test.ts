import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { selfSignedCertificate } from "../support/certificate.ts";
import { type Running, startListener } from "./harness.ts";

let running: Running;
const agent = new Agent({ rejectUnauthorized: false, keepAlive: true });
beforeAll(async () => {
  const certificate = selfSignedCertificate();
  const implementation = {
    checkSession: ({ token }: { token: string }) => ({
      session: { id: "x".repeat(Number(token)) },
    }),
  };
  running = await startListener({
    tls: () => certificate,
    services: [{ service: SessionService, implementation }],
  });
});
afterAll(() => {
  agent.destroy();
  return running.close();
});

function check(length: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const url = `${running.baseUrl}/ostiary.session.v1.SessionService/CheckSession`;
    const headers = { "content-type": "application/json" };
    const call = request(url, { agent, method: "POST", headers }, (response) => {
      response.resume().once("end", () => resolve(response));
    });
    call.once("error", reject).end(JSON.stringify({ token: String(length) }));
  });
}

// Node loses what follows a request's head that arrives before the last answer's write has called back ("Parse Error:
// Paused"), but only over TLS, where more than one record may be on its way to a parser that was told to pause.
test("a connection over TLS is not used again after an answer that its socket could not take at once", async () => {
  expect((await check(1000)).headers.connection).toBe("keep-alive");
  expect((await check(100_000)).headers.connection).toBe("close");
});
