// Prints what logins by a provider cost a server, and whether they leave its memory flat: `node bench/provider-logins.ts [logins]`.
// The provider is a real one, in a process of its own.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Browser } from "../test/support/browser.ts";
import { startUpstream } from "../test/support/upstream/upstream.ts";
import { startMeasured } from "./server-process.ts";

const logins = Number(process.argv[2] ?? 10_000);
const steps = 10;
const people = 50;
const client = { clientId: "bench", clientSecret: "the-secret-of-the-bench" };
const directory = mkdtempSync(join(tmpdir(), "ostiary-bench-"));
const upstream = await startUpstream();
const configuration = {
  server: {
    trusted_proxies: ["127.0.0.1", "::1"],
    outbound: { allowed_private_hosts: [upstream.first.host] },
  },
  tenant_defaults: {
    oidc: {
      providers: [
        {
          id: "acme",
          issuer: upstream.first.url,
          client_id: client.clientId,
          client_secret: client.clientSecret,
          claims_source: "userinfo",
        },
      ],
    },
  },
};
const file = join(directory, "ostiary.yaml");
// JSON is YAML.
writeFileSync(file, JSON.stringify(configuration));
const data = join(directory, "data");
const server = await startMeasured("bin/ostiary", [
  ...["serve", "--data-directory", data, "--config", file],
  ...["--public-port", "0", "--admin-port", "0"],
]);

try {
  await upstream.first.setClient([`${server.publicUrl}/oidc/callback/acme`], client);
  for (let person = 0; person < people; person++) await logIn(person);
  const first = await upstream.first.countRequests();
  for (let step = 1; step <= steps; step++) {
    const cpu = server.cpuSeconds();
    for (let login = 0; login < logins / steps; login++) await logIn(login % people);
    const each = ((server.cpuSeconds() - cpu) * 1000 * steps) / logins;
    const done = (step * logins) / steps;
    console.log(
      `${done} logins: ${server.residentMb().toFixed(0)} MB resident, ${each.toFixed(1)} ms of CPU each`,
    );
  }
  const last = await upstream.first.countRequests();
  for (const what of ["GET /.well-known/openid-configuration", "GET /jwks", "POST /token", "GET /me"]) {
    console.log(`${what}: ${(last[what] ?? 0) - (first[what] ?? 0)}`);
  }
} finally {
  await server.stop();
  await upstream.stop();
  rmSync(directory, { recursive: true });
}

/** A login in a new browser, from the first page to the session. */
async function logIn(person: number): Promise<void> {
  // From anywhere: a client IP alone may not log in so often.
  const from = { "x-forwarded-for": `198.18.${random()}.${random()}` };
  const browser = new Browser(server.publicUrl);
  const call = (method: string, message: object) =>
    browser.post(`/ostiary.flow.v1.LoginService/${method}`, message, from);
  const { body } = await call("CreateLoginFlow", { client: "CLIENT_KIND_BROWSER" });
  const { id: flowId, csrfToken } = body.flow;
  const left = await call("SubmitLoginFlow", { flowId, csrfToken, oidc: { provider: "acme" } });
  if (left.body.redirect === undefined) throw new Error(JSON.stringify(left.body));
  const subject = `person-${person}`;
  const claims = { email: `${subject}@example.com`, email_verified: true, name: "Ada" };
  const { pathname, search } = new URL(await upstream.signInAt(left.body.redirect.url, { subject, claims }));
  const back = await browser.open(pathname + search, from);
  if (![...browser.cookies.keys()].some((name) => name.endsWith("session"))) {
    throw new Error(
      `${back.status} ${back.headers.get("location")}, and no session: ${[...browser.cookies.keys()]}`,
    );
  }
}

function random(): number {
  return Math.floor(Math.random() * 256);
}
