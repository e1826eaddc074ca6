// Whether the time of an answer tells accounts that exist from those that do not: `make bench-enumeration`. Interleaved
// pairs of calls with the real costs of hashing, each account and address named once, with throttling on; prints the area
// under the ROC curve, 0.5 being a coin's toss.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import argon2 from "argon2";
import { connect, logIn, password } from "./journey.ts";
import { startMeasured } from "./server-process.ts";

const pairs = Number(process.env.BENCH_PAIRS ?? 1000);
const directory = mkdtempSync(join(tmpdir(), "ostiary-bench-"));
const wrong = { password: "not the right password" };

const server = await startMeasured("bin/ostiary", [
  ...["serve", "--config", writeConfig(), "--data-directory", directory],
  ...["--public-port", "0", "--admin-port", "0"],
]);
try {
  await createAccounts();
  const sessionToken = await logIn(connect(server.publicUrl), known(0));
  const probes: Record<string, Probe> = {
    "login with a wrong password": probe("Login", known, (identifier) => ({ identifier, password: wrong })),
    "code to sign in": probe("Login", known, (identifier) => ({ identifier, sendCode: {} })),
    recovery: probe("Recovery", known, (address) => ({ address, sendCode: {} })),
    verification: probe("Verification", waiting, (address) => ({ address, sendCode: {} })),
    "registration with a proof": probe("Registration", known, (email) => ({
      traits: { email },
      sendCode: {},
    })),
    "change of one's address": probe(
      "Settings",
      known,
      (email) => ({ traits: { email }, profile: {} }),
      sessionToken,
    ),
  };
  for (const [name, each] of Object.entries(probes)) {
    const auc = await areaUnderCurve(each);
    console.log(`${name.padEnd(30)} AUC ${auc.toFixed(3)} over ${pairs} pairs (at most 0.55)`);
  }
} finally {
  await server.stop();
  rmSync(directory, { recursive: true });
}

/** Times calls that name the account of a number, or an address that nobody has. */
interface Probe {
  time(address: string): Promise<number>;
  account(index: number): string;
}

function known(index: number): string {
  return `known${index}@example.com`;
}

/** An account whose address waits to be verified. */
function waiting(index: number): string {
  return `waiting${index}@example.com`;
}

/** What one address may do is not what is measured; everything else of the throttle is as ever. */
function writeConfig(): string {
  const wide = { count: 1_000_000, period: "24h" };
  const byAddress = ["address", "registration", "sending", "flow_create", "flow_submit", "self_service"];
  const throttle = Object.fromEntries(byAddress.map((name) => [name, wide]));
  const registration = { address_proof: "before_session" };
  const settings = { privileged_for: "24h" };
  const file = join(directory, "ostiary.yaml");
  writeFileSync(file, JSON.stringify({ tenant_defaults: { throttle, flows: { registration, settings } } }));
  return file;
}

/** How often a call for an account takes longer than one for an unknown address, whichever way round. */
async function areaUnderCurve({ time, account }: Probe): Promise<number> {
  const times: { readonly ms: number; readonly isKnown: boolean }[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const accountAddress = account(pair + 1);
    const unknown = `nobody${pair}@example.com`;
    // Which one comes first changes, so that an order effect is none of the account.
    const order = pair % 2 === 0 ? [accountAddress, unknown] : [unknown, accountAddress];
    for (const address of order) {
      times.push({ ms: await time(address), isKnown: address === accountAddress });
    }
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

/** Times the submit of a fresh flow. */
function probe(
  kind: string,
  account: Probe["account"],
  submission: (address: string) => object,
  bearer?: string,
): Probe {
  const service = `${server.publicUrl}/ostiary.flow.v1.${kind}Service`;
  return {
    account,
    time: async (address) => {
      const { flow } = await call(`${service}/Create${kind}Flow`, { client: "CLIENT_KIND_NATIVE" }, bearer);
      const begun = performance.now();
      await call(`${service}/Submit${kind}Flow`, { flowId: flow?.id, ...submission(address) }, bearer);
      return performance.now() - begun;
    },
  };
}

/** Accounts with the hash that the server itself would make of the password. */
async function createAccounts(): Promise<void> {
  const key = readFileSync(join(directory, "admin-api-key"), "utf8").trim();
  const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
  const hash = await argon2.hash(password, cost);
  const requests = Array.from({ length: pairs + 1 }, (_, index) => [
    {
      traits: { email: known(index) },
      verifiedAddresses: [{ value: known(index) }],
      credentials: { password: { hash } },
    },
    { traits: { email: waiting(index) } },
  ]).flat();
  const url = `${server.adminUrl}/ostiary.identity.v1.IdentityService/BatchCreateIdentities`;
  for (let first = 0; first < requests.length; first += 200) {
    await call(url, { requests: requests.slice(first, first + 200) }, key);
  }
}

interface Answer {
  readonly flow?: { readonly id: string };
}

async function call(url: string, message: object, bearer?: string): Promise<Answer> {
  const headers = new Headers({ "content-type": "application/json" });
  if (bearer !== undefined) headers.set("authorization", `Bearer ${bearer}`);
  const response = await fetch(url, {
    method: "POST",
    headers,
    body: JSON.stringify(message),
  });
  const answer = (await response.json()) as Answer;
  if (response.status !== 200)
    throw new Error(`${url} answered ${response.status}: ${JSON.stringify(answer)}`);
  return answer;
}
