import { createHash } from "node:crypto";
import type { LoginEvent, LoginEventType } from "../domain/event/login-history.ts";
import type { FirstFactor } from "../domain/flow/shared/flow.ts";
import type { ContactAddress } from "../domain/identity/addresses.ts";
import { type Credential, type Identity, newIdentity } from "../domain/identity/identity.ts";
import { newRequiredAction, type RequiredActionKind } from "../domain/identity/required-actions.ts";
import { type EventId, type IdentityId, newId, type SessionId } from "../domain/ids.ts";
import { instantOf, never } from "../domain/instant.ts";
import type { JsonObject } from "../domain/json.ts";
import type { MethodKind } from "../domain/kinds.ts";
import type { MethodMemory, Methods, StepContinues, VouchedAccount } from "../domain/method/method.ts";
import type { Clock, HashAsker } from "../domain/ports.ts";
import type { Session } from "../domain/session/session.ts";
import type { Tenant } from "../domain/tenant/tenant.ts";

export const email = "ada@example.com";
export const phone = "+41446681800";
/** As long as an address may be. */
export const longEmail = `${"a-name-that-does-not-end-".repeat(2)}and-then-some@${"long-labels-in-a-row.".repeat(8)}example.com`;
export const longName =
  "Wolfeschlegelsteinhausenbergerdorff Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft";

/** The id of a provider that does not answer. */
export const unavailableProvider = "unavailable";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

const laptop =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";
const telephone =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1";

interface SamplesDependencies {
  readonly clock: Clock;
  readonly methods: Methods;
  readonly tenant: Tenant;
}

/** The people, credentials and sessions that the states are made of. Times are counted from now. */
export class Samples {
  readonly #deps: SamplesDependencies;

  constructor(deps: SamplesDependencies) {
    this.#deps = deps;
  }

  minutesAgo(minutes: number): Date {
    return new Date(this.#deps.clock.now().getTime() - minutes * minuteMs);
  }

  daysFromNow(days: number): Date {
    return new Date(this.#deps.clock.now().getTime() + days * dayMs);
  }

  /** Somebody with the schema `person`. */
  person(change: Partial<Identity> = {}): Identity {
    const { displayName = "Ada Lovelace", traits = { email, name: displayName } } = change;
    const value = String(traits.email);
    const at = this.daysFromNow(-400);
    const address = { kind: "email", value, path: "email" } as const;
    return newIdentity({ id: "default", version: 1 }, at, {
      identifiers: [address],
      verifiableAddresses: [{ ...address, verifiedAt: at }],
      recoveryAddresses: [address],
      displayName,
      traits,
      ...change,
      id: idOf<IdentityId>("person"),
    });
  }

  /** The same, with names and addresses as long as they may be. */
  longPerson(): Identity {
    return this.person({ traits: { email: longEmail, name: longName }, displayName: longName });
  }

  /** Somebody with the schema `rich`. */
  richPerson(): Identity {
    const addresses = [
      { kind: "email", value: email, path: "email" },
      { kind: "phone", value: phone, path: "phone" },
    ] as const;
    const verifiedAt = this.daysFromNow(-400);
    return this.person({
      traits: richTraits,
      verifiableAddresses: addresses.map((address) => ({ ...address, verifiedAt })),
      recoveryAddresses: addresses,
    });
  }

  /** Somebody who is asked for something. */
  personAsked(kind: RequiredActionKind, change: Partial<Identity> = {}): Identity {
    const terms = { document: "terms", version: "2" };
    const action = newRequiredAction(
      { kind, timing: "when_convenient", ...(kind === "accept_terms" && { terms }) },
      { kind: "server", because: "breached_password" },
      this.daysFromNow(-1),
    );
    const person = this.person(change);
    const unverified = person.verifiableAddresses.map((address) => ({ ...address, verifiedAt: undefined }));
    return {
      ...person,
      requiredActions: [action],
      ...(kind === "verify_address" && { verifiableAddresses: unverified }),
    };
  }

  /** What somebody signs in with who has set up everything. */
  credentials(): readonly Credential[] {
    const facts = {
      aaguid: "",
      transports: ["internal"],
      synced: true,
      discoverable: true,
      user: "cGVyc29u",
    };
    return [
      this.password(),
      this.#credential("passkey", {
        lookupKey: "cGFzc2tleQ",
        label: "Laptop",
        facts,
        lastUsedAt: this.minutesAgo(5),
      }),
      this.#credential("passkey", {
        lookupKey: "YW5vdGhlcg",
        label: "Security key",
        facts,
        isSecondFactor: true,
      }),
      this.totp(),
      this.#credential("sms", { facts: { masked: "+41****00" }, isSecondFactor: true }),
      this.#credential("backup_code", { facts: { remaining: 9, total: 12 } }),
      this.providerAccount("google", "Google"),
      this.providerAccount("former", "A provider that is gone"),
    ];
  }

  password(): Credential {
    return this.#credential("password", { facts: { algorithm: "argon2id" } });
  }

  totp(): Credential {
    return this.#credential("totp", { isSecondFactor: true, lastUsedAt: this.daysFromNow(-2) });
  }

  providerAccount(provider: string, name: string): Credential {
    const issuer = this.#deps.tenant.settings.providers.find(({ id }) => id === provider)?.issuer ?? "gone";
    const facts = { provider, name, issuer, subject: "1234", account: email };
    return this.#credential("oidc", { lookupKey: provider, label: `${name}: ${email}`, facts });
  }

  passkeyNamed(label: string): Credential {
    return this.#credential("passkey", { lookupKey: "cGFzc2tleQ", label, facts: { discoverable: true } });
  }

  /** An account at a provider, for which that has vouched. */
  vouched(traits: JsonObject = { email, name: "Ada Lovelace" }): VouchedAccount {
    return {
      credential: { kind: "oidc", lookupKey: "1234", secret: "", facts: {} },
      authentication: { kind: "oidc", assuranceLevel: "aal1" },
      by: "Google",
      ...{ traits, publicMetadata: {}, adminMetadata: {} },
      addresses: [{ kind: "email", value: email, isAuthoritative: false }],
      updates: "never",
    };
  }

  /** A password that was shown, with what is wanted beside it. */
  firstFactor(...methods: readonly MethodKind[]): FirstFactor {
    return {
      kind: "password",
      assuranceLevel: "aal1",
      purpose: "sign_in",
      completedAt: this.minutesAgo(1).toISOString(),
      methods,
      notes: { sms: { masked: "+41****00" }, passkey: { passkeys: [{ id: "cGFzc2tleQ", transports: [] }] } },
    };
  }

  /** A code or link that was sent a while ago. `minutes`: 0 where another one cannot be asked for yet. */
  sent(at: "enter_code" | "link_sent", sentTo: string, minutes = 2) {
    return { at, sentTo, sentAt: this.minutesAgo(minutes).toISOString() } as const;
  }

  /** A link that was opened. */
  opened(sentTo: string) {
    return { at: "confirm_link", parent: "", opened: "", sentTo, target: this.target() } as const;
  }

  /** The address of the samples, as somebody's. */
  target(): ContactAddress {
    return { kind: "email", value: email };
  }

  /** What a method of the settings remembers after its first step. */
  async begun(kind: MethodKind, fields: JsonObject = {}): Promise<MethodMemory> {
    const { methods, tenant, clock } = this.#deps;
    const method = methods.settings.find((each) => each.kind === kind);
    const [name, step] = Object.entries(method?.settingsSteps ?? {})[0] ?? [];
    if (name === undefined || step === undefined) throw new Error(`${kind} has no steps in the settings`);
    const taken = await step.take({
      ...{ tenant, binding, step: { name, fields }, credentials: [], isFresh: true },
      account: { traits: {}, identifiers: [email], name: "Ada Lovelace" },
      flow: { kind: "settings", id: "" },
      place: { time: clock.now(), device: "" },
      asker: askerAt(tenant),
    });
    return memoryIn(taken);
  }

  /** What a method remembers after its first step as a second factor. */
  async begunLogin(kind: MethodKind): Promise<MethodMemory> {
    const { methods, tenant, clock } = this.#deps;
    const method = methods.login.find((each) => each.kind === kind);
    if (method === undefined) throw new Error(`there is no method ${kind}`);
    const taken = await method.proveLogin({
      ...{ tenant, binding, step: { name: kind, fields: {} }, candidate: undefined, factor: "second" },
      ...{ demanded: [], place: { time: clock.now(), device: "" }, flow: { kind: "login", id: "" } },
      asker: askerAt(tenant),
    });
    return memoryIn(taken);
  }

  /** What a method remembers that offers something after a login. */
  offered(kind: MethodKind): MethodMemory {
    const { methods, tenant } = this.#deps;
    const method = methods.settings.find((each) => each.kind === kind);
    const login = { tenant, by: "password", name: "Ada Lovelace", credentials: [] } as const;
    const memory = method?.offerAfterLogin?.(login);
    if (memory === undefined) throw new Error(`${kind} offers nothing after a login`);
    return memory;
  }

  session(change: Partial<Session> = {}): Session {
    const at = this.minutesAgo(1);
    return {
      id: idOf<SessionId>("session"),
      identityId: idOf<IdentityId>("person"),
      createdAt: at,
      updatedAt: at,
      assuranceLevel: "aal2",
      authenticationMethods: [
        { kind: "password", purpose: "sign_in", assuranceLevel: "aal1", completedAt: at },
        { kind: "totp", purpose: "sign_in", assuranceLevel: "aal2", completedAt: at },
      ],
      authenticatedAt: at,
      expiresAt: instantOf(this.daysFromNow(30)),
      lastUsedAt: at,
      revokedAt: never,
      device: { ipAddress: "192.0.2.17", userAgent: laptop },
      ...change,
    };
  }

  /** Sessions of one person, the current one first. */
  sessions(count: number): readonly Session[] {
    return Array.from({ length: count }, (_each, place) =>
      this.session({
        id: idOf<SessionId>(`session ${place}`),
        lastUsedAt: this.minutesAgo(place * 700),
        device: deviceAt(place),
      }),
    );
  }

  /** The login history of one person, newest first: the login of the current one of `sessions`, and then one of each kind in turn. */
  logins(count: number): readonly LoginEvent[] {
    return Array.from({ length: count }, (_each, place) => {
      const [type, data] = loginKinds[place % loginKinds.length] ?? loginKinds[0];
      return {
        id: idOf<EventId>(`login ${place}`),
        createdAt: this.minutesAgo(place * 700 + 1),
        ...{ type, data, identityId: idOf<IdentityId>("person") },
        ...(place === 0 && { sessionId: idOf<SessionId>("session 0") }),
        origin: { actor: { kind: "anonymous" }, requestId: "", ...deviceAt(place) },
      };
    });
  }

  #credential(kind: Credential["kind"], change: Partial<Credential>): Credential {
    const at = this.daysFromNow(-100);
    const { lookupKey = "", label = "" } = change;
    return {
      ...{ id: idOf(`${kind} ${lookupKey}`), kind, createdAt: at, updatedAt: at, isSecondFactor: false },
      ...{ facts: {}, lastUsedAt: undefined, ...change, lookupKey, label },
    };
  }
}

/** What a login history has, with the data of its events. */
const loginKinds: readonly [LoginKind, ...LoginKind[]] = [
  ["login.succeeded", { method: "password", second_factor: "totp" }],
  ["login.failed", { method: "password", reason: "CREDENTIALS_INVALID" }],
  ["login.succeeded", { method: "passkey", refresh: true }],
  ["login.failed", { method: "code", reason: "CODE_INVALID" }],
  ["login.succeeded", { method: "oidc" }],
  ["recovery.succeeded", { method: "link" }],
  ["registration.succeeded", { method: "password" }],
];
type LoginKind = readonly [LoginEventType, JsonObject];

/** A laptop, a telephone, and something of which nothing is known, in turn. */
function deviceAt(place: number): Session["device"] {
  const devices = [
    { ipAddress: "192.0.2.17", userAgent: laptop },
    { ipAddress: "2001:db8:85a3:1234:5678:8a2e:370:7334", userAgent: telephone },
  ];
  return devices[place % 3] ?? { ipAddress: undefined, userAgent: undefined };
}

const richTraits: JsonObject = {
  username: "ada",
  email,
  phone,
  name: { given: "Ada", family: "Lovelace" },
  birthday: "1985-12-10",
  reminder: "2027-02-28T18:30:00Z",
  quiet_from: "18:30:00Z",
  website: "https://example.com/ada",
  height: 1.65,
  guests: 2,
  plan: "team",
  motto: "Mathematics.\nPoetry.",
  pets: ["Byron", "Babbage"],
  addresses: [{ street: "12 St James's Square", city: "London" }],
  customer: "C-1815",
  answer: "Puff",
  newsletter: false,
  consent: true,
};

/** Flows of the samples are bound to nothing that is kept. */
const binding = { client: "browser", flowDigest: new Uint8Array(32), revision: 0 } as const;

/** The same id each time, so that what a browser has put off stays put off. */
function idOf<Id extends string>(name: string): Id {
  return newId<Id>(new Date(0), createHash("sha256").update(name).digest().subarray(0, 16));
}

function memoryIn(taken: { readonly kind: string }): MethodMemory {
  if (taken.kind !== "continues") throw new Error(`the step does not go on: ${taken.kind}`);
  return (taken as StepContinues).memory;
}

/** Whom a password would be hashed for; the previews hash none. */
function askerAt({ tenantId }: Tenant): HashAsker {
  return { lane: "sign_in", tenantId, source: undefined, account: undefined, signal: undefined };
}
