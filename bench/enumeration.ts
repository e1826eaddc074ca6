// Whether the time of an answer tells accounts that exist from those that do not: `make bench-enumeration`. Interleaved
// pairs of calls with the real costs of hashing; prints the area under the ROC curve, 0.5 being a coin's toss.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startMeasured } from "./server-process.ts";

const pairs = Number(process.env.BENCH_PAIRS ?? 1000);
const directory = mkdtempSync(join(tmpdir(), "ostiary-bench-"));
const password = { password: "not the right password" };

const server = await startMeasured("bin/ostiary", [
  ...["serve", "--data-directory", directory, "--public-port", "0", "--admin-port", "0"],
]);
try {
  const known = "known@example.com";
  await createVerified(known);
  const flows = `${server.publicUrl}/ostiary.flow.v1`;
  const probes: Record<string, (address: string) => Promise<number>> = {
    "login with a wrong password": (identifier) =>
      timed(`${flows}.LoginService`, "Login", { identifier, password }),
    "code to sign in": (identifier) => timed(`${flows}.LoginService`, "Login", { identifier, code: {} }),
    recovery: (address) => timed(`${flows}.RecoveryService`, "Recovery", { address, code: {} }),
    verification: (address) => timed(`${flows}.VerificationService`, "Verification", { address, code: {} }),
  };
  for (const [name, probe] of Object.entries(probes)) {
    const auc = await areaUnderCurve(probe, known);
    console.log(`${name.padEnd(30)} AUC ${auc.toFixed(3)} over ${pairs} pairs (at most 0.55)`);
  }
} finally {
  await server.stop();
  rmSync(directory, { recursive: true });
}

/** How often a call for the known account takes longer than one for an unknown account, whichever way round. */
async function areaUnderCurve(probe: (address: string) => Promise<number>, known: string): Promise<number> {
  const times: { readonly ms: number; readonly isKnown: boolean }[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const unknown = `nobody${pair}@example.com`;
    // Which one comes first changes, so that an order effect is none of the account.
    const order = pair % 2 === 0 ? [known, unknown] : [unknown, known];
    for (const address of order) times.push({ ms: await probe(address), isKnown: address === known });
  }
  times.sort((left, right) => left.ms - right.ms);
  let unknownSoFar = 0;
  let longer = 0;
  for (const { isKnown } of times) {
    if (isKnown) longer += unknownSoFar;
    else unknownSoFar++;
  }
  const auc = longer / (pairs * pairs);
  return Math.max(auc, 1 - auc);
}

/** How long the submit of a fresh flow takes. */
async function timed(service: string, kind: string, submission: object): Promise<number> {
  const { flow } = await call(`${service}/Create${kind}Flow`, { client: "CLIENT_NATIVE" });
  const begun = performance.now();
  await call(`${service}/Submit${kind}Flow`, { flowId: flow?.id, ...submission });
  return performance.now() - begun;
}

async function createVerified(email: string): Promise<void> {
  const key = readFileSync(join(directory, "admin-api-key"), "utf8").trim();
  await call(
    `${server.adminUrl}/ostiary.identity.v1.IdentityService/CreateIdentity`,
    {
      traits: { email },
      verifiedAddresses: [email],
      credentials: { password: { password: "correct horse battery" } },
    },
    { authorization: `Bearer ${key}` },
  );
}

async function call(url: string, message: object, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(message),
  });
  const answer = (await response.json()) as { readonly flow?: { readonly id: string } };
  if (response.status !== 200)
    throw new Error(`${url} answered ${response.status}: ${JSON.stringify(answer)}`);
  return answer;
}
