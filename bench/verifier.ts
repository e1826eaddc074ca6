// What a check costs in a process that follows the feed: `node bench/verifier.ts`. A verifier of the SDK with a thousand kept answers
// checks their tokens in turn; a guard with the same verifier checks whole requests. CPU of this process for each check.
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { ApiKeyService } from "../gen/ostiary/access/v1/api_key_service_pb.js";
import { createSessionVerifier, requireSession } from "../sdk/typescript/src/server.ts";
import { register } from "../test/support/accounts.ts";
import { startTestApp } from "../test/support/app.ts";

const sessions = 1_000;
const rounds = 300;

const app = await startTestApp();
const keys = createClient(
  ApiKeyService,
  createConnectTransport({
    baseUrl: app.adminUrl,
    httpVersion: "1.1",
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", `Bearer ${app.apiKey}`);
        return next(request);
      },
    ],
  }),
);
const { secret } = await keys.createApiKey({ name: "bench", scopes: ["session:watch"] });
const verifier = createSessionVerifier({ baseUrl: app.localUrl, apiKey: secret, maxStaleness: "60s" });
const guard = requireSession({ ostiary: verifier, view: "session" });
const requestOf = (token: string) =>
  new Request("https://app.example/", { headers: { authorization: `Bearer ${token}` } });

const tokens: string[] = [];
while (tokens.length < sessions) tokens.push((await register(app)).sessionToken);
const demands: [] = [];
while (verifier.size < sessions)
  for (const token of tokens) await verifier.sessions.checkSession({ token, demands, view: 1 });

/** Microseconds of CPU for each check. */
async function costOf(check: (token: string) => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round++) for (const token of tokens) await check(token);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (rounds * sessions);
}

const requests = new Map(tokens.map((token) => [token, requestOf(token)]));
await costOf((token) => verifier.sessions.checkSession({ token, demands, view: 1 }));
const hit = await costOf((token) => verifier.sessions.checkSession({ token, demands, view: 1 }));
const guarded = await costOf((token) => guard.check(requests.get(token) ?? requestOf(token)));
console.log(`verifier, hit: ${hit.toFixed(2)} µs of CPU; in a guard: ${guarded.toFixed(2)} µs`);
await verifier.close();
await app.stop();
