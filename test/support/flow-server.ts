import { randomBytes, randomUUID } from "node:crypto";
import { createFormTokens } from "../../src/crypto/form-tokens.ts";
import { createKeyedDigests } from "../../src/crypto/keyed-digests.ts";
import { createOneTimeCodes } from "../../src/crypto/one-time-codes.ts";
import { createSealer } from "../../src/crypto/sealer.ts";
import { createTokens } from "../../src/crypto/tokens.ts";
import { MailReach } from "../../src/domain/courier/mail-reach.ts";
import { Outbox } from "../../src/domain/courier/outbox.ts";
import { domainError } from "../../src/domain/errors.ts";
import { FailedAttempts } from "../../src/domain/event/failed-attempts.ts";
import { createFlows } from "../../src/domain/flow/create-flows.ts";
import type { FlowCaller } from "../../src/domain/flow/shared/flow.ts";
import { defaultSchemaDocument } from "../../src/domain/identity/default-schema.ts";
import type { Identity } from "../../src/domain/identity/identity.ts";
import { IdentitySchemas } from "../../src/domain/identity/schemas.ts";
import { TraitsEtags } from "../../src/domain/identity/traits-etags.ts";
import type { JsonObject } from "../../src/domain/json.ts";
import { CodeMethod } from "../../src/domain/method/code/code-method.ts";
import { LinkMethod } from "../../src/domain/method/link/link-method.ts";
import type { LoginMethod, SettingsMethod } from "../../src/domain/method/method.ts";
import { PageTokens } from "../../src/domain/paging/page-tokens.ts";
import { Secret } from "../../src/domain/secret.ts";
import type { AuthenticatedSession } from "../../src/domain/session/session.ts";
import type { Tenant, TenantSettings } from "../../src/domain/tenant/tenant.ts";
import { Devices } from "../../src/domain/throttle/devices.ts";
import { SmsLimits } from "../../src/domain/throttle/sms-limits.ts";
import { Throttle } from "../../src/domain/throttle/throttle.ts";
import { openTwoTenants, type TwoTenants } from "../storage/two-tenants.ts";
import { readMessages } from "./app.ts";
import { TestClock } from "./clock.ts";
import { noOAuth2Server } from "./oauth2-server.ts";
import { silentLogger } from "./postgres.ts";
import { anEvent, anIdentity, aPassword, noon, noReleases, origin, someSettings } from "./records.ts";

/** The default schema, with a user name as well. */
const document = {
  ...defaultSchemaDocument,
  properties: {
    ...(defaultSchemaDocument.properties as JsonObject),
    handle: { type: "string", maxLength: 64, ostiary: { identifier: "username" } },
  },
};

/** The real flows with any methods, on a real database, without a server around them: settings can change between two calls. */
export class FlowServer {
  readonly clock = new TestClock();
  readonly database: TwoTenants;
  readonly #sealingSecret = randomBytes(32).toString("hex");
  tenant: Tenant;

  private constructor(database: TwoTenants, settings: TenantSettings) {
    this.database = database;
    this.tenant = { tenantId: database.scope.tenantId, name: "default", settings };
  }

  static async open(settings: Partial<TenantSettings>): Promise<FlowServer> {
    return new FlowServer(await openTwoTenants(), someSettings(settings));
  }

  close(): Promise<void> {
    return this.database.storage.close();
  }

  /** Changes settings, as a new configuration does. */
  configure(change: Partial<TenantSettings>): void {
    this.tenant = { ...this.tenant, settings: { ...this.tenant.settings, ...change } };
  }

  /** The flows with these methods. */
  async flows({
    login = [],
    settings = [],
  }: {
    readonly login?: readonly LoginMethod[];
    readonly settings?: readonly SettingsMethod[];
  }) {
    const { clock } = this;
    const { storage, scope } = this.database;
    const secrets = () => [new Secret(this.#sealingSecret)];
    const tokens = createTokens();
    const sealer = createSealer(secrets);
    const digests = createKeyedDigests(secrets);
    const devices = new Devices({ tokens, clock });
    const schemas = new IdentitySchemas({
      store: storage.schemas,
      pageTokens: new PageTokens({ sealer }),
      clock,
    });
    await schemas.load(scope, [{ id: "person", document }]);
    const failedAttempts = new FailedAttempts({ events: storage.events, clock, logger: silentLogger });
    return createFlows({
      methods: {
        login,
        registration: [],
        settings,
        challenges: [new CodeMethod({ codes: createOneTimeCodes(secrets) }), new LinkMethod({ tokens })],
        imports: [],
      },
      releases: noReleases,
      stores: storage,
      schemas,
      etags: new TraitsEtags({ digests }),
      invitations: { open: () => Promise.reject(new Error("nobody is invited here")) },
      mailReach: new MailReach("yes"),
      arrivals: { isOpenlyBounced: async () => false, prove: async () => {} },
      smsLimits: new SmsLimits({ store: storage.throttle, digests, clock, logger: silentLogger }),
      throttle: new Throttle({ store: storage.throttle, digests, devices, failedAttempts, clock }),
      failedAttempts,
      outbox: new Outbox({ sealer }),
      sealer,
      digests,
      oauth2: noOAuth2Server,
      tokens,
      formTokens: createFormTokens(),
      clock,
    });
  }

  /** A native client, with the session that it shows. */
  caller(shown?: AuthenticatedSession): FlowCaller {
    return {
      tenant: this.tenant,
      origin,
      languages: undefined,
      session: async () => {
        if (shown === undefined) throw domainError("SESSION_CREDENTIAL_MISSING", {});
        return shown;
      },
      browserSessions: async () => [],
      signal: new AbortController().signal,
      limitedClientIp: undefined,
      browserToken: undefined,
      lastProvider: undefined,
      shownDevice: () => undefined,
      shownSession: () => undefined,
      assertOriginAllowed: () => {},
      assertNotFromPage: () => {},
    };
  }

  /** An account with a verified address, and a password whose stored hash is `secret`. */
  async createAccount(secret: string | undefined, handle?: string): Promise<Identity> {
    const email = `${randomUUID()}@example.com`;
    const identity = anIdentity({
      traits: { email, ...(handle && { handle }) },
      identifiers: [
        { kind: "email", value: email, path: "email" },
        ...(handle ? [{ kind: "username", value: handle, path: "handle" } as const] : []),
      ],
      verifiableAddresses: [{ kind: "email", value: email, path: "email", verifiedAt: noon }],
      recoveryAddresses: [{ kind: "email", value: email, path: "email" }],
    });
    const { storage, scope } = this.database;
    const password = secret === undefined ? [] : [{ ...aPassword(secret), isSecondFactor: true }];
    await storage.identities.create(scope, identity, password, [anEvent("identity.created")]);
    return identity;
  }

  /** The code that was sent to an address last. */
  async codeSentTo(email: string): Promise<string> {
    return (await this.#lastSentTo(email)).code;
  }

  /** The token of the link that was sent to an address last. */
  async linkTokenSentTo(email: string): Promise<string> {
    return (await this.#lastSentTo(email)).url.split("#link=")[1] ?? "";
  }

  async #lastSentTo(email: string) {
    const messages = await readMessages(this.database.storage.url, this.#sealingSecret, email);
    const last = messages.filter(({ code, url }) => code !== "" || url !== "").at(-1);
    if (last === undefined) throw new Error("nothing was sent");
    return last;
  }
}
