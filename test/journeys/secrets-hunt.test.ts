import { generateKeyPairSync } from "node:crypto";
import { inspect } from "node:util";
import { toJson } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { afterEach, expect, test, vi } from "vitest";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import type { Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { type FormNode, InputType } from "../../gen/ostiary/flow/v1/form_pb.js";
import { toValue } from "../../src/transport/rpc/convert/value.ts";
import { goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { type Collector, startCollector } from "../support/collector.ts";
import type { Shown } from "../support/flow-kinds.ts";
import {
  type Answer,
  bySubmitForm,
  byTypedSubmit,
  heldConfig,
  stagedConfig,
  Walker,
  type Way,
  walkClaim,
  walkConfig,
  walkHeldRecovery,
  walkLogin,
  walkProof,
  walkRecoveryChoice,
  walkRegistration,
  walkSettings,
  walkStagedLogin,
  walkStagedRegistration,
} from "../support/form-walks.ts";
import { administer } from "../support/postgres.ts";

/*
 * Security rule (SR-SECRET-1): what is secret is in no log, trace, error, event or row, and what people fill in is in no log, trace, error or
 * event. Every node of every form of every kind of flow is filled with something marked, in both ways, and sent; then it is
 * looked for.
 */

/** Too short for a password, so that nothing comes of it; and like nothing else. */
const markedPassword = "§ẞж7q";
/** As long as a code for an account that is guessed at, so that it is compared. */
const markedCode = "73194620551873194620";
/** No address and no name of anybody. */
const markedText = "marked ÿ private";

/** The secret of a client of one provider, and what stands in the key of one of another. */
const markedClientSecret = "client secret 5b0e7d";
const clientKey = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();
const [, keyLine = ""] = clientKey.split("\n");
const providerSecrets = [markedClientSecret, keyLine];

/** The port for what is thrown away: nothing listens there. */
const nowhere = "127.0.0.1:9";

/** A configuration with providers that nobody can reach. */
function withProviders(config: { readonly tenant_defaults: object }): object {
  const provider = (id: string) => ({ id, issuer: `http://${nowhere}/${id}`, client_id: id });
  const providers = [
    { ...provider("one"), client_secret: markedClientSecret },
    { ...provider("two"), client_key: clientKey, client_key_id: "1" },
  ];
  return {
    server: { outbound: { allowed_private_hosts: [nowhere] } },
    tenant_defaults: { ...config.tenant_defaults, oidc: { providers } },
  };
}

/** What fits a node, marked. */
function markOf({ kind }: FormNode): string | undefined {
  if (kind.case !== "input") return undefined;
  const { type, choices, readOnly } = kind.value;
  // Nothing is sent for it, and the server refuses what is.
  if (readOnly) return undefined;
  if (choices.length > 0) return "9";
  if (type === InputType.PASSWORD) return markedPassword;
  return type === InputType.CODE ? markedCode : markedText;
}

/** Sends marked values, and keeps what the server calls secret and what it says in errors. */
class Hunter {
  readonly secrets = new Set<string>([markedPassword, markedCode, goodPassword]);
  readonly errors: string[] = [];
  readonly #app: TestApp;
  readonly #way: Way;
  /** The names of the nodes that were filled, with their steps. */
  readonly filled = new Set<string>();
  /** How the sends ended: with an answer, with an error of the server's, or not sent at all. */
  readonly ends = { answered: 0, refused: 0, unsent: 0 };

  constructor(app: TestApp, way: Way) {
    this.#app = app;
    this.#way = way;
  }

  walker(): Walker {
    return new Walker(this.#app, this.#way, {
      onForm: (flow, shown) => this.#fillIn(flow, shown),
      onAnswer: (answer) => this.#keepTokens(answer),
    });
  }

  /** Fills all nodes of a form in, for each step that has one of its own, or for the first that sends all. */
  async #fillIn(flow: Flow, shown: Shown): Promise<void> {
    this.secrets.add(flow.id);
    const nodes = flow.form?.nodes ?? [];
    const buttons = nodes.filter(({ kind }) => kind.case === "button");
    const common = nodes.filter((node) => node.step === "" && markOf(node) !== undefined);
    for (const { step, kind } of buttons) {
      const own = nodes.filter((node) => node.step === step && markOf(node) !== undefined);
      const isHarmless = kind.case === "button" && !kind.value.skipsRequired;
      if (!isHarmless || own.length + common.length === 0) continue;
      const fields = [...common, ...own];
      const values = Object.fromEntries(fields.map((node) => [node.name, markOf(node) ?? ""]));
      for (const { name } of fields) this.filled.add(`${flow.kind} ${step} ${name}`);
      // Also under a name that there is not: it is refused, and says which name it was.
      await this.#send({ flow, step, values }, shown);
      await this.#send({ flow, step, values: { ...values, nothing: markedText } }, shown);
    }
  }

  async #send(filled: Parameters<Way>[1], shown: Shown): Promise<void> {
    try {
      this.#keepTokens(await this.#way(this.#app, filled, shown));
      this.ends.answered++;
    } catch (error) {
      // A name that there is not is known before it is sent, where the request is typed.
      if (!(error instanceof ConnectError)) {
        this.ends.unsent++;
        return;
      }
      this.ends.refused++;
      const details = [
        ...error.findDetails(ErrorInfoSchema).map((detail) => toJson(ErrorInfoSchema, detail)),
        ...error.findDetails(BadRequestSchema).map((detail) => toJson(BadRequestSchema, detail)),
      ];
      this.errors.push(`${error.rawMessage} ${JSON.stringify(details)}`);
    }
  }

  #keepTokens({ outcome, flow }: Answer): void {
    const completed = outcome.case === "completed" ? outcome.value.signedIn : undefined;
    for (const secret of [completed?.sessionToken, completed?.deviceToken, flow?.id]) {
      if (secret !== undefined && secret !== "") this.secrets.add(secret);
    }
  }
}

/** Every row of every table, as text. */
async function storedIn(app: TestApp): Promise<ReadonlyMap<string, string>> {
  return administer(app.databaseUrl, async (query) => {
    const tables = await query<{ schema: string; name: string }>(
      `SELECT table_schema AS schema, table_name AS name FROM information_schema.tables
        WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
    );
    const contents = new Map<string, string>();
    for (const { schema, name } of tables) {
      const rows = await query<{ row: string }>(
        `SELECT to_jsonb(t)::text AS row FROM "${schema}"."${name}" t`,
      ).catch((error: { readonly code?: string }) => {
        // The queue of jobs still arranges its tables: this one is gone (undefined_table).
        if (error.code !== "42P01") throw error;
        return [];
      });
      contents.set(`${schema}.${name}`, rows.map(({ row }) => row).join("\n"));
    }
    return contents;
  });
}

/** The ways in which a text may be written down. */
function spellings(text: string): readonly string[] {
  const bytes = Buffer.from(text);
  return [
    text,
    JSON.stringify(text).slice(1, -1),
    bytes.toString("hex"),
    bytes.toString("base64"),
    bytes.toString("base64url"),
  ];
}

function holdsAny(
  content: string,
  texts: Iterable<string>,
  spell: (text: string) => readonly string[] = spellings,
): readonly string[] {
  return [...texts].filter((text) => spell(text).some((spelling) => content.includes(spelling)));
}

/** The ways in which a text may be written down in bytes that were read as latin1. */
function spellingsInBytes(text: string): readonly string[] {
  return spellings(text).map((spelling) => Buffer.from(spelling).toString("latin1"));
}

afterEach(() => {
  vi.unstubAllEnvs();
});

const ways: readonly (readonly [string, Way])[] = [
  ["the typed submits", byTypedSubmit],
  ["SubmitForm", bySubmitForm],
];

test.each(ways)("what is filled in by %s is found nowhere", { timeout: 180_000 }, async (_name, way) => {
  const collector: Collector = await startCollector();
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint };
  // OpenTelemetry's own SDK reads it from the process.
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint);
  const secrets = new Set<string>();
  const filled = new Set<string>();
  const found: string[] = [];
  const ends = { answered: 0, refused: 0, unsent: 0 };
  for (const [config, walks] of [
    [walkConfig, [walkLogin, walkRegistration, walkRecoveryChoice, walkSettings]],
    [stagedConfig, [walkStagedLogin, walkStagedRegistration]],
    [heldConfig, [walkHeldRecovery]],
  ] as const) {
    const app = await startTestApp({ config: withProviders(config), environment });
    const hunter = new Hunter(app, way);
    for (const secret of providerSecrets) hunter.secrets.add(secret);
    for (const walk of walks) await walk(app, hunter.walker());
    if (config === walkConfig) {
      for (const kind of ["verification", "recovery"] as const) {
        await walkProof(app, hunter.walker(), kind);
        await walkClaim(app, hunter.walker(), kind);
      }
    }
    const stored = await storedIn(app);
    await app.stop();
    const log = app.log.map((line) => inspect(line, { depth: null })).join("\n");
    const errors = hunter.errors.join("\n");
    for (const [where, content] of [["the log", log], ["an error", errors], ...stored] as const) {
      found.push(...holdsAny(content, hunter.secrets).map((secret) => `${secret} in ${where}`));
    }
    for (const [where, content] of [
      ["the log", log],
      ["an error", errors],
      ["an event", stored.get("ostiary.event") ?? ""],
    ] as const) {
      found.push(...holdsAny(content, [markedText]).map((text) => `${text} in ${where}`));
    }
    // Otherwise nothing would be looked at.
    const [called, happened] =
      config === heldConfig
        ? ["SubmitRecoveryFlow", "recovery.held"]
        : ["SubmitLoginFlow", "login.succeeded"];
    expect(log.includes(way === bySubmitForm ? "SubmitForm" : called)).toBe(true);
    expect(stored.get("ostiary.flow")?.includes('"kind"')).toBe(true);
    expect(stored.get("ostiary.event")?.includes(happened)).toBe(true);
    for (const secret of hunter.secrets) secrets.add(secret);
    for (const name of hunter.filled) filled.add(name);
    for (const end of Object.keys(ends) as (keyof typeof ends)[]) ends[end] += hunter.ends[end];
  }
  const traces = Buffer.concat(collector.bodies).toString("latin1");
  await collector.close();
  expect(traces.includes("ostiary.flow.v1")).toBe(true);
  found.push(
    ...holdsAny(traces, [...secrets, markedText], spellingsInBytes).map((text) => `${text} in a trace`),
  );
  expect(found).toEqual([]);
  // Each form is sent twice. As it is, it arrives and is answered; with a name that there is not, it is refused.
  const { answered } = ends;
  expect(answered).toBeGreaterThan(100);
  expect(ends).toEqual(
    way === bySubmitForm
      ? { answered, refused: answered, unsent: 0 }
      : { answered, refused: 0, unsent: answered },
  );
  expect([...filled].filter((name) => name.includes("password.password")).length).toBeGreaterThanOrEqual(3);
  expect([...filled].filter((name) => name.includes("code.code")).length).toBeGreaterThanOrEqual(5);
  expect(secrets.size).toBeGreaterThan(20);
});

test("the hunt would find what is there, however it is written", () => {
  for (const spelling of spellings(markedPassword))
    expect(holdsAny(`x${spelling}y`, [markedPassword])).toHaveLength(1);
  expect(holdsAny(JSON.stringify(toValue(markedCode)), [markedCode])).toHaveLength(1);
  for (const spelling of spellings(markedText)) {
    const bytes = Buffer.from(`x${spelling}y`).toString("latin1");
    expect(holdsAny(bytes, [markedText], spellingsInBytes)).toHaveLength(1);
  }
});
