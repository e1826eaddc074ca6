import { readFileSync, statSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { fromJson } from "@bufbuild/protobuf";
import type { Path } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { type Config, ConfigSchema } from "../../gen/ostiary/config/v1/config_pb.js";
import type { Provider } from "../domain/provider/provider.ts";
import { Secret } from "../domain/secret.ts";
import type { BrandFiles } from "../domain/tenant/brand-files.ts";
import type { TokenTemplate } from "../domain/tenant/token-settings.ts";
import { readBrandFiles } from "./brand-files.ts";
import { checkBranding, checkDarkColors } from "./check-branding.ts";
import { checkCombinations } from "./check-combinations.ts";
import { checkCourier, checkCourierPresence } from "./check-courier.ts";
import { checkCertificates, checkFiles } from "./check-files.ts";
import { checkForwardAuth, checkForwardAuthCookies } from "./check-forward-auth.ts";
import { checkMethods } from "./check-methods.ts";
import { checkNativeOrigins } from "./check-native-origins.ts";
import { checkNativeReturnUrls } from "./check-native-return-urls.ts";
import { checkPasskey } from "./check-passkey.ts";
import { checkOpenRegistration } from "./check-registration.ts";
import { checkSecurity } from "./check-security.ts";
import { checkUrls } from "./check-urls.ts";
import type { CompleteConfig } from "./complete-config.ts";
import { describeFileError } from "./files.ts";
import type { FlagValues } from "./flags.ts";
import { Layers } from "./layers.ts";
import { ConfigError, describeProblem, type Problem, type Source, type Sources } from "./problems.ts";
import { readProviders } from "./providers.ts";
import { withoutLiterals } from "./secret-references.ts";
import { createSecretSource, type SecretSource } from "./secrets.ts";
import { readTokenTemplates } from "./token-templates.ts";
import { maxYamlBytes } from "./yaml.ts";

/** Sources of the configuration; a later one wins. */
export interface ConfigPlaces {
  /** A YAML file; none by default. */
  readonly file?: string | undefined;
  /** What the file says, where it was read before: the workers of a server start with what their parent has read. */
  readonly fileText?: string | undefined;
  /** The variables of the process. Those that start with OSTIARY_ set keys, others may be named by secrets. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly flags: FlagValues;
  /** Base of relative paths outside the file. Default: the working directory of the process. */
  readonly workingDirectory?: string | undefined;
}

/** A configuration that can be used. */
export interface LoadedConfig {
  /** Complete and deeply frozen. Literal secrets are not in it any more: `secrets` has them. */
  readonly config: CompleteConfig;
  readonly secrets: SecretSource;
  /** `tenant_defaults.oidc.providers`, with what their presets fill in. Their secrets are those of `secrets`. */
  readonly providers: readonly Provider[];
  /** The sets of claims of `tenant_defaults.session.tokens.templates`, by their names. */
  readonly tokenTemplates: ReadonlyMap<string, TokenTemplate>;
  /** `access.client_certificates`. Ask each time: `reload` changes them. */
  readonly clientCertificates: () => CompleteConfig["access"]["clientCertificates"];
  /** The files of `tenant_defaults.branding`. Ask each time: `reload` changes them. */
  readonly brandFiles: () => BrandFiles;
  /** What the configuration file said; undefined without one. It may hold secrets. */
  readonly fileText: Secret | undefined;
  /**
   * Reads the secrets, client certificates' grants and files of the branding again, and looks at the certificates. Throws a ConfigError if
   * one of these cannot be used, or the configuration that names them. Nothing changes until the returned function is called, which
   * cannot fail. `fileText` is what the file says now, where it was read already.
   */
  renew(fileText?: string): () => void;
  /** The same at once. */
  reload(): void;
  /** Whether the server runs its own PostgreSQL: no `database.url` is set. */
  readonly embedded: boolean;
  /** Warnings, one line each; in development mode also the problems that would otherwise be refused. */
  readonly warnings: readonly string[];
  /** The directory of the file, or the working directory without one. Paths in the configuration are absolute. */
  readonly directory: string;
  /** Source of each key, for messages. */
  readonly sources: ReadonlyMap<string, Source>;
}

/**
 * Loads the configuration: defaults, file, variables, flags; checks it; resolves secrets. Makes nothing and changes
 * nothing. Throws a ConfigError with a line for each problem.
 */
export function loadConfig(places: ConfigPlaces): LoadedConfig {
  const workingDirectory = resolve(places.workingDirectory ?? ".");
  const fileText = places.fileText ?? readFileText(places, workingDirectory);
  const layers = readLayers({ ...places, fileText }, workingDirectory);
  const sources = layers.sources;
  refuse(layers.problems, sources);

  const message = fromJson(ConfigSchema, layers.toJson());
  refuse(violationsOf(message), sources);
  // toJson() made every section, and every duration has a default; a test walks the descriptor to hold this.
  const config = message as unknown as CompleteConfig;

  const embedded = message.database?.url === undefined;
  const secrets = createSecretSource({ config: message, environment: places.environment, sources });
  const files = checkFiles(config);
  const read = readProviders(config, secrets);
  const tokens = readTokenTemplates(config);
  const brand = readBrandFiles(config);
  const problems = [
    ...secrets.problems,
    ...files.problems,
    ...checkCombinations(config),
    ...checkForwardAuth(config),
    ...checkCourier(config),
    ...checkUrls(config),
    ...checkBranding(config),
    ...brand.problems,
    ...checkNativeOrigins(config),
    ...checkPasskey(config),
    ...checkNativeReturnUrls(config),
    ...read.problems,
    ...tokens.problems,
    ...checkMethods(config),
    ...checkSecurity(config, secrets.resolved),
  ];
  const isRefused = (problem: Problem) => !(problem.insecure && config.dev);
  refuse(problems.filter(isRefused), sources);

  let { clientCertificates } = config.access;
  let brandFiles = brand.files;
  const tolerated = problems.filter((problem) => !isRefused(problem));
  const renew = (newText?: string) => {
    refuse(checkCertificates(config).problems, sources);
    // Whole, as at a start: half a configuration may mean something else than its author wants. The rest of what it
    // says counts from the next start on.
    const renewed = loadConfig({ ...places, fileText: newText });
    const useSecrets = secrets.source.renew();
    return () => {
      useSecrets();
      clientCertificates = renewed.clientCertificates();
      brandFiles = renewed.brandFiles();
    };
  };
  return Object.freeze({
    config: deepFreeze(withoutLiterals(message)) as CompleteConfig,
    secrets: secrets.source,
    providers: read.providers,
    tokenTemplates: tokens.templates,
    clientCertificates: () => clientCertificates,
    brandFiles: () => brandFiles,
    fileText: fileText === undefined ? undefined : new Secret(fileText),
    renew,
    reload: () => renew()(),
    embedded,
    warnings: [
      ...tolerated,
      ...secrets.warnings,
      ...files.warnings,
      ...checkCourierPresence(config),
      ...checkForwardAuthCookies(config),
      ...checkOpenRegistration(config),
      ...checkDarkColors(config),
    ].map((each) => describeProblem(each, sources)),
    directory: places.file === undefined ? workingDirectory : dirname(resolve(workingDirectory, places.file)),
    sources,
  });
}

const validator = createValidator();

/** What the configuration file says now; undefined without one. Throws a ConfigError if it cannot be read. */
export function readFileText(
  { file }: Pick<ConfigPlaces, "file">,
  directory = resolve("."),
): string | undefined {
  if (file === undefined) return undefined;
  const path = resolve(directory, file);
  return readConfigFile(path, shortestName(path, directory));
}

function readLayers(places: ConfigPlaces, workingDirectory: string): Layers {
  const layers = new Layers();
  layers.addDefaults(workingDirectory);
  if (places.file !== undefined && places.fileText !== undefined) {
    const path = resolve(workingDirectory, places.file);
    layers.addFile(places.fileText, shortestName(path, workingDirectory), dirname(path));
  }
  layers.addVariables(places.environment, workingDirectory);
  layers.addFlags(places.flags, workingDirectory);
  layers.checkVariables(places.environment);
  layers.checkAlternatives();
  return layers;
}

function readConfigFile(path: string, name: string): string {
  try {
    // The size is asked for first, so that a wrong path (a disk image, a log) is not read into memory.
    const { size } = statSync(path);
    if (size > maxYamlBytes) throw new ConfigError([`${name}: is larger than ${maxYamlBytes} bytes`]);
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError([`${name}: the configuration file ${describeFileError(error)}`]);
  }
}

/** A file within the working directory is called by its relative name, any other by its full one. */
function shortestName(path: string, workingDirectory: string): string {
  const name = relative(workingDirectory, path);
  return name === "" || name.startsWith("..") ? path : name;
}

function violationsOf(message: Config): Problem[] {
  const result = validator.validate(ConfigSchema, message);
  if (result.kind === "error") throw result.error;
  if (result.kind === "valid") return [];
  return result.violations.map((violation) => ({
    key: pathText(violation.field),
    message: ruleTexts[violation.ruleId] ?? (violation.message || `breaks the rule ${violation.ruleId}`),
  }));
}

// Where the library's own words are about the rule rather than about the value. Every min_len in the contract is 1.
const ruleTexts: Partial<Record<string, string>> = {
  required: "must be set",
  "string.min_len": "must not be empty",
  "string.address": "must be an IP address or a host name",
  "string.address_empty": "must be an IP address or a host name",
  "string.uri": "must be an absolute URL such as https://app.example.com",
};

function pathText(path: Path): string {
  let text = "";
  for (const part of path) {
    if (part.kind === "list_sub") text += `[${part.index}]`;
    else if (part.kind === "field" || part.kind === "oneof")
      text += text === "" ? part.name : `.${part.name}`;
  }
  return text;
}

function refuse(problems: readonly Problem[], sources: Sources): void {
  if (problems.length === 0) return;
  const lines = problems.map((problem) => describeProblem(problem, sources));
  throw new ConfigError([...new Set(lines)]);
}

/** Freezes an object and all that it holds, so that no code changes the configuration of a running server by accident. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}
