import { createBoundChallenges } from "../../src/crypto/bound-challenges.ts";
import { createFormTokens } from "../../src/crypto/form-tokens.ts";
import { createKeyedDigests } from "../../src/crypto/keyed-digests.ts";
import { createOneTimeCodes } from "../../src/crypto/one-time-codes.ts";
import { createPasskeyVerifier } from "../../src/crypto/passkey-verifier.ts";
import { createPasswordHasher } from "../../src/crypto/password-hasher.ts";
import { createSealer } from "../../src/crypto/sealer.ts";
import { createTokens } from "../../src/crypto/tokens.ts";
import { MailReach } from "../../src/domain/courier/mail-reach.ts";
import { Outbox, type SealedMessage } from "../../src/domain/courier/outbox.ts";
import { domainError } from "../../src/domain/errors.ts";
import type { Event } from "../../src/domain/event/event.ts";
import { createFlows } from "../../src/domain/flow/create-flows.ts";
import type { LoginFlows, LoginStart } from "../../src/domain/flow/login/login-flows.ts";
import type { SettingsStore } from "../../src/domain/flow/settings/store.ts";
import type { Flow, FlowCaller, FlowRecord } from "../../src/domain/flow/shared/flow.ts";
import { type KeptOutcome, openOutcome } from "../../src/domain/flow/shared/kept-outcome.ts";
import type { FlowStore } from "../../src/domain/flow/shared/store.ts";
import type { Node } from "../../src/domain/form/form.ts";
import type { Credential, Identity } from "../../src/domain/identity/identity.ts";
import { IdentitySchemas } from "../../src/domain/identity/schemas.ts";
import { TraitsEtags } from "../../src/domain/identity/traits-etags.ts";
import type { TenantId } from "../../src/domain/ids.ts";
import type { JsonObject } from "../../src/domain/json.ts";
import type { FlowKind } from "../../src/domain/kinds.ts";
import { createMethods } from "../../src/domain/method/create-methods.ts";
import type { LoginCandidate, Methods } from "../../src/domain/method/method.ts";
import { createPasswordPolicy } from "../../src/domain/method/password/policy.ts";
import { PageTokens } from "../../src/domain/paging/page-tokens.ts";
import type { TenantScope } from "../../src/domain/ports.ts";
import { Secret } from "../../src/domain/secret.ts";
import type { NewSession } from "../../src/domain/session/session.ts";
import type { Tenant, TenantSettings } from "../../src/domain/tenant/tenant.ts";
import type { SharedLimitName } from "../../src/domain/tenant/throttle-settings.ts";
import { counterKey } from "../../src/domain/throttle/counter-keys.ts";
import { Devices } from "../../src/domain/throttle/devices.ts";
import { SmsLimits } from "../../src/domain/throttle/sms-limits.ts";
import type { CountRequest, CountResult, ThrottleStore } from "../../src/domain/throttle/store.ts";
import { Throttle } from "../../src/domain/throttle/throttle.ts";
import { createGuardedFetch } from "../../src/outbound/guarded-fetch.ts";
import { createProviderClient } from "../../src/outbound/oidc/provider-client.ts";
import { TestClock } from "./clock.ts";
import { noOAuth2Server } from "./oauth2-server.ts";
import { silentLogger } from "./postgres.ts";
import {
  aCredential,
  aFlow,
  anAsker,
  anIdentity,
  aSession,
  noon,
  noReleases,
  origin,
  someSettings,
} from "./records.ts";

/** A person with two email addresses, a user name, and a trait that is only written. */
const personDocument: JsonObject = {
  type: "object",
  properties: {
    email: {
      type: "string",
      format: "email",
      ostiary: { identifier: "email", verifiable: "email", recovery: "email" },
    },
    other: {
      type: "string",
      format: "email",
      ostiary: { verifiable: "email", recovery: "email" },
    },
    username: { type: "string", ostiary: { identifier: "username" } },
    name: { type: "string", title: "Name", default: "Nobody", ostiary: { display_name: true } },
    pin: { type: "string", writeOnly: true },
  },
  additionalProperties: false,
};

/** All kinds of flows may use codes and links, and all have a page. */
const kinds: readonly FlowKind[] = ["login", "registration", "verification", "recovery", "settings"];
const pages = Object.fromEntries(kinds.map((kind) => [kind, `https://id.example.com/${kind}`]));

/** Where a flow may return to. */
export const appUrl = "https://app.example.com/";

/** The settings of the tenant of these tests. */
export function flowSettings(change: Partial<TenantSettings> = {}): TenantSettings {
  const usual = someSettings();
  return {
    ...usual,
    uiUrls: pages as TenantSettings["uiUrls"],
    code: { ...usual.code, enabledFor: new Set(kinds) },
    link: { ...usual.link, enabledFor: new Set(kinds) },
    allowedReturnUrls: new Set([appUrl]),
    defaultSchemaId: "person",
    selfServiceSchemaIds: new Set(["person"]),
    defaultCountry: "",
    ...change,
  };
}

/** A flow in short: its stage, the texts of its form, and a line for each node. */
export function inShort({ stage, form }: Pick<Flow, "stage" | "form">) {
  const { title, subtitle, account, sections, messages, nodes } = form;
  return {
    stage: stage?.kind,
    texts: [title, subtitle, account].flatMap((message) => message?.text ?? []),
    ...(sections && { sections: sections.map(({ id, title: heading }) => `${id}: ${heading.text}`) }),
    messages: messages.map(({ text }) => text),
    nodes: nodes.map(lineOf),
  };
}

/** Why a step was not accepted, and what its form says: the messages, and the nodes with one. */
export async function rejected(outcome: ReturnType<TestFlows["submit"]>) {
  const result = await outcome;
  if (result.kind !== "rejected") throw new Error(`the step was ${result.kind}`);
  const { messages, nodes } = inShort(result.flow);
  return { reason: result.rejection.reason, messages, nodes: nodes.filter((node) => node.includes(" <- ")) };
}

function lineOf({ name, label, section, messages, element }: Node): string {
  const where = section === undefined ? name : `${section}/${name}`;
  const wrong = messages.map(({ text }) => ` <- ${text}`).join("");
  if (element.kind === "button") {
    return `${where}: [${label?.text}]${element.skipsRequired ? " alone" : ""}${wrong}`;
  }
  if (element.kind !== "input") return `${where}: ${element.kind}`;
  const { type, value, required } = element;
  const shown = value === undefined ? "" : ` = ${JSON.stringify(value)}`;
  return `${where}: ${type}${required ? "!" : ""}${shown}${wrong}`;
}

const sealingSecrets = () => [new Secret("a sealing secret of at least 32 characters")];

/** A write, by the name of the store's method. */
export interface Written {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: each method writes something else, of which a test looks at a part.
  readonly change: any;
}

/** What a submit holds beside its step. */
interface Sent {
  readonly identifier?: string;
  readonly address?: string;
  readonly traits?: JsonObject;
  readonly traitsEtag?: string;
  readonly csrfToken?: string;
}

/**
 * The flows as the server makes them, without a server: real methods, tokens and codes, on stores that hold one flow and one
 * person, and note what is written. What a database decides is for the server tests; here it is what the rules make of it.
 */
export class TestFlows {
  readonly clock = new TestClock();
  readonly tokens = createTokens();
  readonly formTokens = createFormTokens();
  readonly sealer = createSealer(sealingSecrets);
  readonly outbox = new Outbox({ sealer: this.sealer });
  readonly schemas = new IdentitySchemas({
    store: {
      save: async (_scope, id, document) => ({ id, version: 1, createdAt: noon, document }),
      find: async () => undefined,
      list: async () => ({ items: [], positionOf: () => [] }),
    },
    pageTokens: new PageTokens({ sealer: this.sealer }),
    clock: this.clock,
  });
  readonly hasher = createPasswordHasher({ concurrency: 1, queueLimit: 100 });
  readonly tenant: Tenant;
  readonly flows: ReturnType<typeof createFlows>;

  /** The flow that was begun, put or moved last, and its id. */
  flow: FlowRecord | undefined;
  id = "";
  /** Who is found by what is typed, and whose the flow is. */
  identity: Identity | undefined;
  unclaimed = false;
  /** The hash of the password. */
  credential: string | undefined;
  credentials: readonly Credential[] = [aCredential({ isSecondFactor: false })];
  /** The identifiers that somebody has. */
  taken: readonly string[] = [];
  /** Answers of the stores that are not the usual ones. */
  answers: Partial<FlowStore & SettingsStore> = {};
  /** What counting gives. */
  counts: (request: CountRequest) => CountResult = () => ({ own: undefined, refused: [], watched: [] });
  readonly counted: CountRequest[] = [];
  readonly written: Written[] = [];
  readonly #digests = createKeyedDigests(sealingSecrets);

  private constructor(settings: Partial<TenantSettings>, methods: Partial<Methods>) {
    const tenantId = "11111111-1111-7111-8111-111111111111" as TenantId;
    this.tenant = { tenantId, name: "default", settings: flowSettings(settings) };
    const { clock, tokens, sealer, hasher } = this;
    const digests = this.#digests;
    const policy = createPasswordPolicy({
      commonPasswords: { has: (password) => password === "password" },
      breachedPasswords: { countOf: async () => 0 },
    });
    const codes = createOneTimeCodes(sealingSecrets);
    const parts = {
      ...{ hasher, policy, breaches: { note: () => {} }, codes, tokens, sealer, clock },
      passkeys: createPasskeyVerifier(),
      challenges: createBoundChallenges(sealingSecrets),
      providers: createProviderClient({
        http: createGuardedFetch({ allowedPrivateHosts: [], extraPorts: [] }),
        ...{ clock, logger: silentLogger },
      }),
      logger: silentLogger,
    };
    const failedAttempts = {
      note: (_scope: TenantScope, change: readonly Event[]) => {
        const isFailure = ({ type }: Event) => type === "login.failed" || type === "login.throttled";
        if (change.some(isFailure)) this.#note("failedAttempts", change.filter(isFailure));
        return change.filter((event) => !isFailure(event));
      },
    };
    const counters = {
      take: async (_scope: TenantScope, request: CountRequest) => {
        this.counted.push(request);
        return this.counts(request);
      },
      release: async (_scope: TenantScope, change: unknown) => this.#note("release", change),
      read: async () => [],
    } as unknown as ThrottleStore;
    const smsLimits = new SmsLimits({ store: counters, digests, clock, logger: silentLogger });
    const throttle = new Throttle({
      store: counters,
      digests,
      devices: new Devices({ tokens, clock }),
      failedAttempts,
      clock,
    });
    this.flows = createFlows({
      methods: { ...createMethods(parts), ...methods },
      releases: noReleases,
      stores: {
        flows: this.#answering(this.#flowStore()),
        settings: this.#answering(this.#settingsStore()),
        identities: {
          find: async () => this.identity,
          credentialsOf: async () => this.credentials,
        },
        sessions: {},
        messages: { enqueue: async (_scope: TenantScope, change: unknown) => this.#note("enqueue", change) },
      } as unknown as Parameters<typeof createFlows>[0]["stores"],
      schemas: this.schemas,
      etags: new TraitsEtags({ digests }),
      invitations: { open: () => Promise.reject(new Error("nobody is invited here")) },
      throttle,
      failedAttempts,
      smsLimits,
      mailReach: new MailReach("yes"),
      arrivals: { isOpenlyBounced: async () => false, prove: async () => {} },
      outbox: this.outbox,
      sealer,
      digests,
      oauth2: noOAuth2Server,
      tokens,
      formTokens: this.formTokens,
      clock,
    });
  }

  static async make(
    settings: Partial<TenantSettings> = {},
    methods: Partial<Methods> = {},
    required: readonly string[] = [],
  ): Promise<TestFlows> {
    const made = new TestFlows(settings, methods);
    const document = { ...personDocument, required: [...required] };
    await made.schemas.load(made.tenant, [{ id: "person", document }]);
    return made;
  }

  /** Makes the person who has the account, with a verified address unless something else is said. */
  async person(change: Partial<Identity> = {}, password?: string): Promise<Identity> {
    const email = "ada@example.com";
    this.identity = anIdentity({
      traits: { email },
      identifiers: [{ kind: "email", value: email, path: "email" }],
      verifiableAddresses: [{ kind: "email", value: email, path: "email", verifiedAt: noon }],
      recoveryAddresses: [{ kind: "email", value: email, path: "email" }],
      ...change,
    });
    if (password !== undefined) {
      const { argon2 } = this.tenant.settings.password;
      this.credential = await this.hasher.hash(new Secret(password), argon2, anAsker());
    }
    return this.identity;
  }

  /** Puts a flow that stands at a state. */
  put(
    kind: FlowKind,
    state: FlowRecord["data"]["state"],
    change: Partial<FlowRecord> = {},
    purpose: object = {},
  ) {
    const { token, digest } = this.tokens.issue("flow", this.tenant.name);
    this.id = token.reveal();
    const now = this.clock.now();
    this.flow = aFlow(kind, {
      digest,
      createdAt: now,
      expiresAt: new Date(now.getTime() + 3_600_000),
      data: { purpose, state },
      ...change,
    });
    return this.flow;
  }

  /** A call. By default it shows nothing, and comes from an app. */
  caller(change: Partial<FlowCaller> = {}): FlowCaller {
    return {
      tenant: this.tenant,
      origin,
      languages: undefined,
      session: () => Promise.reject(domainError("SESSION_CREDENTIAL_MISSING", {})),
      browserSessions: async () => [],
      signal: new AbortController().signal,
      limitedClientIp: { clientIp: "192.0.2.1", isShared: false },
      shownSession: () => undefined,
      browserToken: undefined,
      lastProvider: undefined,
      shownDevice: () => undefined,
      assertOriginAllowed: () => {},
      assertNotFromPage: () => {},
      ...change,
    };
  }

  /** A call of the person, with a session. */
  signedIn(change: Partial<NewSession> = {}): FlowCaller {
    const { identity } = this;
    if (identity === undefined) throw new Error("nobody has an account");
    const session = aSession(identity.id, { authenticatedAt: this.clock.now(), ...change });
    return this.caller({ session: async () => ({ session, identity }) });
  }

  /** Binds the flow to a browser; gives a call of that browser, and the token of its form. */
  inBrowser(change: Partial<FlowCaller> = {}): { readonly caller: FlowCaller; readonly csrfToken: string } {
    const { token, digest } = this.tokens.issue("browser", this.tenant.name);
    if (this.flow !== undefined) this.flow = { ...this.flow, client: "browser", browserDigest: digest };
    const browserToken = token.reveal();
    return {
      caller: this.caller({ browserToken, ...change }),
      csrfToken: this.formTokens.make(browserToken, this.id).reveal(),
    };
  }

  /** What the flow keeps of the last submit. */
  kept(): KeptOutcome | undefined {
    return this.flow && openOutcome(this.sealer, this.flow);
  }

  /** Submits a step of the flow. */
  submit(name: string, fields: object = {}, sent: Sent = {}, caller = this.caller()) {
    const kind = this.flow?.kind ?? "login";
    const step = { name, fields: { ...fields } };
    const nothing = { identifier: "", address: "", traits: {}, traitsEtag: "", csrfToken: "" };
    return this.flows[kind].submit(caller, { ...nothing, ...sent, flowId: this.id, step });
  }

  /** The flow as its holder sees it. */
  async show(caller = this.caller()) {
    const { flow, identity, credentials } = this;
    if (flow === undefined) throw new Error("there is no flow");
    const found = await this.flows[flow.kind].show(caller, this.id, { flow, identity, credentials });
    if (found.kind !== "found") throw new Error("the flow was replaced");
    return found.flow;
  }

  /** Goes on in the flow that the link opens which was sent last. The flow that waits for it is found as its parent. */
  async openLink(caller = this.caller()): Promise<void> {
    const { flow } = this;
    if (flow === undefined) throw new Error("there is no flow");
    const linkToken = new URLSearchParams(new URL(this.sent().url).hash.slice(1)).get("link") ?? "";
    const start = {
      client: flow.client,
      returnTo: "",
      purpose: "sign_in",
      linkToken,
      schemaId: "",
      invitationToken: "",
    };
    const begun = await (this.flows[flow.kind] as LoginFlows).create(caller, start as LoginStart);
    this.#waiting = flow;
    this.flow = this.last("create").flow;
    this.id = begun.flow.id.reveal();
  }

  /** The last write of a name. */
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  last(name: string): any {
    return this.written.findLast((written) => written.name === name)?.change;
  }

  /** Whether the last attempt was counted by a limit for a subject. */
  isCountedBy(limit: SharedLimitName, ...subject: readonly string[]): boolean {
    const key = counterKey(this.#digests, limit, subject.join("\0"));
    return this.counted.at(-1)?.attempts.some((attempt) => Buffer.compare(attempt.key, key) === 0) ?? false;
  }

  /** What the last message says, and whom it is for. */
  sent() {
    const messages = this.written.flatMap(
      ({ change }) => (change?.messages ?? []) as readonly SealedMessage[],
    );
    const message = messages.at(-1);
    if (message === undefined) throw new Error("nothing was sent");
    const { template, recipient, suppressed } = message;
    const data = this.outbox.open(message)?.data as { readonly code?: string; readonly url?: string };
    return { template, recipient, suppressed, code: data.code ?? "", url: data.url ?? "" };
  }

  #waiting: FlowRecord | undefined;
  /** The recovery of the account that waits, if one does. */
  waitingRecovery: FlowRecord | undefined;

  #note(name: string, change: unknown): void {
    this.written.push({ name, change });
  }

  /** A store that asks `answers` first. */
  #answering<Store extends object>(usual: Store): Store {
    const methods = Object.entries(usual).map(([name, method]) => [
      name,
      (...given: unknown[]) =>
        (((this.answers as Record<string, unknown>)[name] as typeof method) ?? method)(...given),
    ]);
    return Object.fromEntries(methods);
  }

  #find(digest: Uint8Array): FlowRecord | undefined {
    return [this.flow, this.#waiting].find((flow) => flow && Buffer.compare(flow.digest, digest) === 0);
  }

  /** Who might be signing in, if anybody is found. */
  get candidate(): LoginCandidate | undefined {
    const { identity, credentials } = this;
    const secret = this.credential;
    const credential = secret === undefined ? undefined : { ...aCredential(), secret };
    return identity && { identity, credential, credentials, loginSequence: 1 };
  }

  #candidate(identifier: string | undefined): LoginCandidate | undefined {
    const { identity } = this;
    const state = this.flow?.data.state as { readonly identifier?: { readonly value: string } } | undefined;
    const name = state?.identifier?.value ?? identifier;
    const isFound =
      name === undefined
        ? identity?.id === this.flow?.identityId
        : identity?.identifiers.some(({ value }) => value === name);
    return isFound ? this.candidate : undefined;
  }

  #flowStore(): FlowStore {
    const completes = (name: string) => async (_scope: TenantScope, change: unknown) => {
      this.#note(name, change);
      return "completed" as const;
    };
    const findForLogin: FlowStore["findForLogin"] = async (_scope, digest, identifier) => ({
      flow: this.#find(digest),
      candidate: this.#candidate(identifier),
    });
    return {
      create: async (_scope, flow, messages) => {
        this.#note("create", { flow, messages });
        this.flow ??= flow;
      },
      createOnce: async (_scope, flow) => {
        this.#note("createOnce", { flow });
        return true;
      },
      beginByOperator: async () => true,
      find: async (_scope, _kind, digest) => this.#find(digest),
      findByLink: async (_scope, _kind, digest) => {
        const challenge = this.flow?.challenge;
        return challenge && Buffer.compare(challenge.digest, digest) === 0 ? this.flow : undefined;
      },
      findWithIdentity: async (_scope, _kind, digest) => {
        const { identity, credentials } = this;
        return { flow: this.#find(digest), identity, credentials };
      },
      findForLogin,
      findForForm: findForLogin,
      findCandidate: async (_scope, asked) => {
        const isTheirs =
          "identityId" in asked
            ? this.identity?.id === asked.identityId
            : this.credentials.some(({ lookupKey }) => lookupKey === asked.lookupKey);
        return isTheirs ? this.candidate : undefined;
      },
      findByAddress: async (_scope, kind, value) => {
        const isTheirs = this.identity?.verifiableAddresses.some(
          (address) => address.kind === kind && address.value === value,
        );
        return isTheirs ? this.identity : undefined;
      },
      findForRecovery: async (_scope, typed) => {
        const { identity, unclaimed } = this;
        const names = [...(identity?.identifiers ?? []), ...(identity?.recoveryAddresses ?? [])];
        return identity && names.some(({ value }) => value === typed.value)
          ? { ...identity, unclaimed }
          : undefined;
      },
      advance: async (_scope, held, change) => {
        this.#note("advance", { held, ...change });
        const { data, challenge, identityId } = change;
        if (this.flow !== undefined) {
          this.flow = { ...this.flow, data, challenge, identityId, revision: held.revision + 1 };
        }
        return true;
      },
      keepOutcome: async (_scope, held, kept, events) => {
        this.#note("keepOutcome", { held, kept, events });
        if (this.flow !== undefined) this.flow = { ...this.flow, kept };
      },
      keepAnswer: async (_scope, _digest, change) => this.#note("keepAnswer", change),
      countAttempt: async (_scope, digest, now, limit) => {
        const flow = this.#find(digest);
        const challenge = flow?.challenge;
        if (flow === undefined || challenge === undefined) return undefined;
        if (challenge.attempts >= limit || challenge.expiresAt <= now) return undefined;
        const tried = { ...challenge, attempts: challenge.attempts + 1 };
        const counted = { ...flow, challenge: tried, revision: flow.revision + 1 };
        if (flow === this.flow) this.flow = counted;
        else this.#waiting = counted;
        return { challenge: tried, revision: counted.revision, isMarked: false };
      },
      completeLogin: completes("completeLogin"),
      completeRegistration: completes("completeRegistration"),
      completeVerification: completes("completeVerification"),
      completeDisowning: completes("completeDisowning"),
      completeRecovery: completes("completeRecovery"),
      findHeldRecovery: async () => this.waitingRecovery,
      stopRecoveries: completes("stopRecoveries"),
      takenIdentifiers: async (_scope, identifiers) =>
        identifiers.filter((name) => this.taken.includes(name)),
    };
  }

  #settingsStore(): SettingsStore {
    const completes = (name: string) => async (_scope: TenantScope, change: unknown) => {
      this.#note(name, change);
      return "completed" as const;
    };
    return {
      changeCredential: completes("changeCredential"),
      removeCredential: completes("removeCredential"),
      editCredential: completes("editCredential"),
      changeProfile: completes("changeProfile"),
      completeActions: completes("completeActions"),
      scheduleDeletion: completes("scheduleDeletion"),
      deleteAccount: completes("deleteAccount"),
      cancelDeletion: completes("cancelDeletion"),
    };
  }
}
