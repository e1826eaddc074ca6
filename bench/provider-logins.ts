// Prints what logins by a provider cost, and whether they leave memory flat: `node --expose-gc bench/provider-logins.ts [logins]`.
// The provider is a real one in another process; what is measured is our client of it, which is in this one.
import { randomBytes } from "node:crypto";
import { createGuardedFetch } from "../src/outbound/guarded-fetch.ts";
import { createProviderClient } from "../src/outbound/oidc/provider-client.ts";
import { testProvider } from "../test/support/upstream/provider-records.ts";
import { startUpstream } from "../test/support/upstream/upstream.ts";
import { UpstreamVisitor } from "../test/support/upstream/visitor.ts";

const logins = Number(process.argv[2] ?? 10_000);
const steps = 10;
const redirectUri = "http://127.0.0.1:9/oidc/callback/first";

const upstream = await startUpstream();
const http = createGuardedFetch({ allowedPrivateHosts: [upstream.first.host], extraPorts: [] });
const ignore = () => {};
const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const client = createProviderClient({ http, clock: { now: () => new Date() }, logger });
const provider = testProvider({
  issuer: upstream.first.url,
  ...(await upstream.first.setClient([redirectUri])),
  claimsSource: "userinfo",
});
// One person in one browser, who is signed in at the provider: after the first time it answers without a page.
const visitor = new UpstreamVisitor();
let clientMs = 0;

try {
  await logIn();
  const first = await upstream.first.countRequests();
  for (let step = 1; step <= steps; step++) {
    clientMs = 0;
    for (let login = 0; login < logins / steps; login++) await logIn();
    globalThis.gc?.();
    const { heapUsed, rss } = process.memoryUsage();
    const done = (step * logins) / steps;
    const each = (clientMs * steps) / logins;
    console.log(
      `${done} logins: heap ${toMb(heapUsed)} MB, resident ${toMb(rss)} MB, ${each.toFixed(1)} ms in the client each`,
    );
  }
  const last = await upstream.first.countRequests();
  for (const what of ["GET /.well-known/openid-configuration", "GET /jwks", "POST /token", "GET /me"]) {
    console.log(`${what}: ${(last[what] ?? 0) - (first[what] ?? 0)}`);
  }
} finally {
  await http.close();
  await upstream.stop();
}

async function logIn(): Promise<void> {
  const random = () => randomBytes(32).toString("base64url");
  const request = { state: random(), nonce: random(), codeVerifier: random(), redirectUri };
  const begun = await timed(() => client.begin(provider, request));
  if (begun.kind === "failed") throw new Error(begun.detail);
  const { url } = await visitor.visit(begun.url, { subject: "alice" });
  const query = new URL(url).search.slice(1);
  const answer = await timed(() => client.finish(provider, { ...request, query }));
  if (answer.kind === "failed") throw new Error(answer.detail);
}

async function timed<T>(work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work();
  clientMs += performance.now() - start;
  return result;
}

function toMb(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}
