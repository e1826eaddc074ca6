import { createServer, type ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { createOstiary, createOstiaryAdmin } from "../../sdk/typescript/src/index.ts";
import { requireSession, SessionRefusedError } from "../../sdk/typescript/src/server.ts";
import { close, goodToken, listen } from "./session-server.ts";

const servers: ReturnType<typeof createServer>[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map(close));
});

const binary = { "content-type": "application/proto" };
const json = { "content-type": "application/json" };
const megabyte = Buffer.alloc(1024 * 1024);

// Security rule (SR-SDK-2): time and memory of a call are bounded whatever the other end sends.
describe("an answer", () => {
  test.each<[string, (response: ServerResponse) => void]>([
    ["begins and stalls", (response) => void response.writeHead(200, binary).write("\0")],
    ["stalls after 900 kB", (response) => void response.writeHead(200, binary).write(Buffer.alloc(900_000))],
    [
      "stalls after 900 kB of an error",
      (response) => void response.writeHead(401, json).write(Buffer.alloc(900_000, " ")),
    ],
    ["never begins", () => {}],
  ])("that %s ends with the time-out of a check", async (_, answer) => {
    const guard = requireSession({ baseUrl: await answering(answer), checkTimeout: "300ms" });
    expect(await refusalOf(guard.check(bearer))).toMatchObject({ status: 503 });
  });

  test("is given up beyond 1 MiB, long before it ends", async () => {
    let sent = 0;
    const closed = Promise.withResolvers<void>();
    const baseUrl = await answering((response) => {
      response.on("close", closed.resolve);
      response.writeHead(200, binary);
      const more = (): void => {
        while (!response.destroyed && sent < 200) {
          sent += 1;
          if (!response.write(megabyte)) return void response.once("drain", more);
        }
      };
      more();
    });
    const refusal = await refusalOf(requireSession({ baseUrl }).check(bearer));
    expect(refusal).toMatchObject({ status: 503 });
    expect(String(refusal.cause)).toContain("larger than 1048576 bytes");
    await closed.promise;
    expect(sent).toBeLessThan(100);
  });

  test("is measured after decompression", async () => {
    const { gzipSync } = await import("node:zlib");
    const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024, " "));
    const baseUrl = await answering(
      (response) => void response.writeHead(200, { ...json, "content-encoding": "gzip" }).end(bomb),
    );
    const ostiary = createOstiary({ baseUrl });
    await expect(ostiary.sessions.getCurrentSession({})).rejects.toThrow("larger than");
  });

  test("of the admin listener may be larger: a page of identities is", async () => {
    const identity = { id: "i", traits: { text: "x".repeat(2_000_000) } };
    const baseUrl = await answering(
      (response) => void response.writeHead(200, json).end(JSON.stringify({ identity })),
    );
    const admin = createOstiaryAdmin({ baseUrl });
    const { identity: received } = await admin.identities.getIdentity({ identityId: "i" });
    expect(received?.id).toBe("i");
  });

  test("that a transport of the app's own never gives ends with the time-out of a check", async () => {
    const deaf = { unary: () => new Promise<never>(() => {}), stream: () => new Promise<never>(() => {}) };
    const guard = requireSession({ transport: deaf, checkTimeout: "50ms" });
    expect(await refusalOf(guard.check(bearer))).toMatchObject({ status: 503 });
  });
});

const bearer = { method: "GET", headers: { authorization: `Bearer ${goodToken}` } };

/** The address of a server that answers everything so. */
async function answering(answer: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => answer(response));
  });
  servers.push(server);
  return listen(server);
}

async function refusalOf(checking: Promise<unknown>): Promise<SessionRefusedError> {
  const error = await checking.catch((caught: unknown) => caught);
  if (error instanceof SessionRefusedError) return error;
  throw new Error("there was no refusal", { cause: error });
}
