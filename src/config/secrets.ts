import { randomBytes } from "node:crypto";
import type { Config, Secret as SecretReference } from "../../gen/ostiary/config/v1/config_pb.js";
import { Secret } from "../domain/secret.ts";
import { checkSecrets } from "./check-secrets.ts";
import { type DatabaseUrlResult, readDatabaseUrl } from "./database-url.ts";
import { isPath, readSecretFile } from "./files.ts";
import { ensureLocalSecrets } from "./local-secrets.ts";
import { ConfigError, describeProblem, type Problem, type Sources } from "./problems.ts";
import { secretReferencesOf } from "./secret-references.ts";
import { readSmtpServer, type SmtpServer, type SmtpServerResult } from "./smtp-server.ts";

/** The secrets of the configuration, with their values. Its methods need no `this`. */
export interface SecretSource {
  /** The sealing secrets: the first seals, all open. Ask each time: `reload` changes them. */
  sealing(): readonly Secret[];
  /** The database's URL as the driver takes it; undefined with the embedded database. */
  databaseUrl(): Secret | undefined;
  /** The SMTP server with its password; undefined if none is configured. */
  smtpServer(): SmtpServer | undefined;
  /**
   * The URL that mail or text messages are posted to; undefined if none is configured. Read it each time: `reload` changes it.
   */
  messageUrl(channel: "email" | "sms"): Secret | undefined;
  /** The password that Postmark's reports show; undefined if none are taken. Read it each time: `reload` changes it. */
  postmarkPassword(): Secret | undefined;
  /** The URL at which breached passwords are looked up. Read it each time: `reload` changes it. */
  breachedPasswordsUrl(): Secret;
  /** The bearer token of the OAuth2 server's admin API; undefined if it has none. Read it each time: `reload` changes it. */
  oauth2ApiKey(): Secret | undefined;
  /** Secrets that sign mail and text messages sent over HTTP. Read them each time: `reload` changes them. */
  messageSigning(channel: "email" | "sms"): readonly Secret[];
  /** The client secret and key of a provider that people sign in with. Read them each time: `reload` changes them. */
  provider(id: string): { readonly secret: Secret | undefined; readonly key: Secret | undefined };
  /**
   * With the embedded database and no sealing secret configured: reads the one in the data directory, or makes it.
   * Otherwise does nothing. To be called once, when the data directory is there and before `sealing` is used.
   */
  prepare(): Promise<void>;
  /**
   * Reads the files again. Throws a ConfigError if one cannot be used. All secrets stay as they are until the returned function is
   * called.
   */
  renew(): () => void;
  /** The same at once. */
  reload(): void;
}

/** Values of secrets, as far as they could be resolved. */
export interface ResolvedSecrets {
  readonly sealing: readonly KeyedSecret[];
  readonly database: DatabaseUrlResult | undefined;
  readonly smtp: SmtpServerResult | undefined;
  readonly mailUrl: KeyedSecret | undefined;
  readonly mailSigning: readonly KeyedSecret[];
  readonly smsUrl: KeyedSecret | undefined;
  readonly smsSigning: readonly KeyedSecret[];
  readonly postmarkPassword: KeyedSecret | undefined;
  readonly breachedPasswordsUrl: KeyedSecret | undefined;
  readonly oauth2ApiKey: KeyedSecret | undefined;
  /** In the order of the configuration. */
  readonly providers: readonly ProviderSecrets[];
}

/** The secrets of a provider that people sign in with. */
export interface ProviderSecrets {
  readonly id: string;
  readonly secret: KeyedSecret | undefined;
  readonly key: KeyedSecret | undefined;
}

/** A secret with the path of its key. */
export interface KeyedSecret {
  readonly key: string;
  readonly secret: Secret;
}

interface SecretSourceOptions {
  readonly config: Config;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly sources: Sources;
}

/** Resolves the secrets of a configuration, and says what is wrong with them. */
export function createSecretSource(options: SecretSourceOptions): {
  readonly source: SecretSource;
  readonly resolved: ResolvedSecrets;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
} {
  const { config, environment, sources } = options;
  const first = resolveAll(config, environment);
  let current = first.resolved;
  let made: readonly Secret[] | undefined = withoutAny(config);

  const source: SecretSource = {
    sealing: () => {
      const secrets = made ?? current.sealing.map(({ secret }) => secret);
      if (secrets.length === 0) throw new Error("prepare() was not called: there is no sealing secret yet");
      return secrets;
    },
    databaseUrl: () => (current.database?.kind === "url" ? new Secret(current.database.url) : undefined),
    smtpServer: () => (current.smtp?.kind === "server" ? current.smtp.server : undefined),
    messageUrl: (channel) => (channel === "email" ? current.mailUrl : current.smsUrl)?.secret,
    postmarkPassword: () => current.postmarkPassword?.secret,
    breachedPasswordsUrl: () => {
      const url = current.breachedPasswordsUrl?.secret;
      if (url === undefined) throw new Error("server.outbound.breached_passwords.url has a default");
      return url;
    },
    oauth2ApiKey: () => current.oauth2ApiKey?.secret,
    messageSigning: (channel) =>
      (channel === "email" ? current.mailSigning : current.smsSigning).map(({ secret }) => secret),
    provider: (id) => {
      const found = current.providers.find((provider) => provider.id === id);
      return { secret: found?.secret?.secret, key: found?.key?.secret };
    },
    prepare: async () => {
      const directory = config.database?.dataDirectory;
      if (current.sealing.length > 0 || made !== undefined || directory === undefined) return;
      made = [await ensureLocalSecrets(directory)];
    },
    renew: () => {
      const next = resolveAll(config, environment, current);
      const problems = [...next.problems, ...checkSecrets(next.resolved, config.database)];
      const refused = problems.filter(({ insecure }) => !(insecure && config.dev));
      if (refused.length > 0)
        throw new ConfigError(refused.map((problem) => describeProblem(problem, sources)));
      return () => {
        current = next.resolved;
      };
    },
    reload: () => source.renew()(),
  };
  return { source, ...first };
}

// Development mode on an external database without a secret: one for as long as the process lives.
function withoutAny(config: Config): readonly Secret[] | undefined {
  const none = config.secrets?.sealing.length === 0 && config.database?.url !== undefined;
  return none && config.dev ? [new Secret(randomBytes(32).toString("base64url"))] : undefined;
}

function resolveAll(
  config: Config,
  environment: Readonly<Record<string, string | undefined>>,
  before?: ResolvedSecrets,
): { resolved: ResolvedSecrets; problems: Problem[]; warnings: Problem[] } {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const resolveOne = (key: string, reference: SecretReference): string | undefined => {
    const result = resolve(reference, environment);
    if (result.kind === "wrong") {
      problems.push({ key, message: result.message });
      return undefined;
    }
    if (result.warning !== undefined) warnings.push({ key, message: result.warning });
    return result.text;
  };
  const references = secretReferencesOf(config);
  const list = (wanted: readonly Reference[], known: readonly KeyedSecret[] = []): KeyedSecret[] =>
    wanted.flatMap(({ key, reference }) => {
      const text = resolveOne(key, reference);
      if (text === undefined) return [];
      // What did not change stays the same object, because derived keys are remembered by it.
      const same = known.find(({ secret }) => secret.reveal() === text)?.secret;
      return [{ key, secret: same ?? new Secret(text) }];
    });
  const keyed = (wanted: Reference | undefined, known?: KeyedSecret) =>
    list(wanted === undefined ? [] : [wanted], known === undefined ? [] : [known])[0];
  const one = (wanted: Reference | undefined) => keyed(wanted)?.secret;
  const databaseUrl = one(references.databaseUrl);
  const resolved = {
    sealing: list(references.sealing, before?.sealing),
    database: databaseUrl && readDatabaseUrl(databaseUrl.reveal()),
    smtp: smtpOf(config, references, one),
    mailUrl: keyed(references.mailUrl),
    mailSigning: list(references.mailSigning),
    smsUrl: keyed(references.smsUrl),
    smsSigning: list(references.smsSigning),
    postmarkPassword: keyed(references.postmarkPassword),
    breachedPasswordsUrl: keyed(references.breachedPasswordsUrl),
    oauth2ApiKey: keyed(references.oauth2ApiKey),
    providers: references.providers.map(({ id, secret, key }, index) => ({
      id,
      secret: keyed(secret, before?.providers[index]?.secret),
      key: keyed(key, before?.providers[index]?.key),
    })),
  };
  return { resolved, problems, warnings };
}

/** The SMTP server; undefined if there is none, or one of its secrets cannot be resolved, which is a problem already. */
function smtpOf(
  config: Config,
  references: ReturnType<typeof secretReferencesOf>,
  resolveOne: (wanted: Reference | undefined) => Secret | undefined,
): SmtpServerResult | undefined {
  const provider = config.tenantDefaults?.courier?.email?.provider;
  if (provider?.case !== "smtp") return undefined;
  const smtp = provider.value;
  const [url, password] = [resolveOne(references.smtpUrl), resolveOne(references.smtpPassword)];
  const isUnresolved =
    (url === undefined && smtp.url !== undefined) || (password === undefined && smtp.password !== undefined);
  return isUnresolved ? undefined : readSmtpServer(smtp, { url, password });
}

interface Reference {
  readonly key: string;
  readonly reference: SecretReference;
}

type Resolution =
  | { readonly kind: "text"; readonly text: string; readonly warning?: string }
  | { readonly kind: "wrong"; readonly message: string };

function resolve(
  reference: SecretReference,
  environment: Readonly<Record<string, string | undefined>>,
): Resolution {
  const { source } = reference;
  switch (source.case) {
    case "literal":
      if (source.value === "") return { kind: "wrong", message: "is empty" };
      return writtenOut(source.value);
    case "env": {
      const text = environment[source.value];
      if (text === undefined || text === "")
        return { kind: "wrong", message: `the variable ${source.value} is not set` };
      return writtenOut(text);
    }
    case "file": {
      const file = readSecretFile(source.value);
      if (file.kind === "wrong")
        return { kind: "wrong", message: `the file ${source.value} ${file.message}` };
      const warning = `other accounts may read the file ${source.value}: chmod 600 it`;
      return { kind: "text", text: file.text, ...(file.openToOthers ? { warning } : {}) };
    }
    case undefined:
      return { kind: "wrong", message: "must be text, {env: NAME} or {file: path}" };
    default:
      return source satisfies never;
  }
}

/** Security rule (SR-SECRET-2): the path of a secret's file is no secret. Taken for one, the server would seal with what all can guess. */
function writtenOut(text: string): Resolution {
  if (!isPath(text)) return { kind: "text", text };
  const message = "is the path of a file, and not a secret: write {file: …} to have it read from there";
  return { kind: "wrong", message };
}
