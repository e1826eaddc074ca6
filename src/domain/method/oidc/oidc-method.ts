import { createHash, randomBytes } from "node:crypto";
import { domainError } from "../../errors.ts";
import type { FieldViolation } from "../../field-violation.ts";
import type { Node } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import { normaliseIdentifier } from "../../identifier/normalise.ts";
import type { Credential, NewCredential } from "../../identity/identity.ts";
import type { ImportedOidcAccount } from "../../identity/imported-credential.ts";
import type { JsonObject } from "../../json.ts";
import type { BoundChallenges, Clock, Logger, Sealer } from "../../ports.ts";
import { digestOfState, openCallback, ReceivedCallback, sealState } from "../../provider/callback.ts";
import {
  type Provider,
  type ProviderAnswer,
  type ProviderClient,
  type ProviderFailure,
  providerOf,
} from "../../provider/provider.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import * as texts from "../../user-message/provider-messages.ts";
import type { UserMessage } from "../../user-message/user-message.ts";
import type {
  FlowBinding,
  ImportMethod,
  LoginAttempt,
  LoginMethod,
  LoginStage,
  ProofAsked,
  RegistrationMethod,
  RegistrationStage,
  SecretAttempt,
  SettingsMethod,
  SettingsStage,
  StepRedirects,
  StepVouched,
} from "../method.ts";
import { isIssuerOf, linkOf, providerOfAccount, vouchedBy } from "./provider-credential.ts";

/** What a step is taken with, in flows of all kinds. */
type Attempt = Pick<SecretAttempt, "tenant" | "step" | "binding" | "memory" | "flow"> &
  Pick<LoginAttempt, "since" | "isForTwo" | "typed">;

interface OidcMethodDependencies {
  readonly providers: ProviderClient;
  readonly sealer: Sealer;
  readonly challenges: BoundChallenges;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How far the clocks of a provider and of this server may differ. */
const clockToleranceMs = 60_000;

/**
 * An account at another provider (OpenID Connect, OAuth 2). The browser goes there and comes back with an answer; what the answer
 * proves is whose account it is *there*. Whose it is here the flow finds out.
 */
export class OidcMethod implements LoginMethod, RegistrationMethod, SettingsMethod, ImportMethod {
  readonly kind = "oidc";
  readonly factor = "first";
  readonly credential = "oidc";
  readonly isVouchedFor = true;
  readonly listsCredentials = true;
  readonly #deps: OidcMethodDependencies;

  constructor(deps: OidcMethodDependencies) {
    this.#deps = deps;
  }

  isEnabled({ settings }: Tenant): boolean {
    return settings.providers.length > 0;
  }

  /** A provider that was taken out of the configuration signs nobody in. */
  isWayIn(credential: Credential, { settings }: Tenant): boolean {
    return providerOfAccount(settings.providers, credential) !== undefined;
  }

  /** Two factors only where one of the account's own providers may say so. */
  possibleProofs({ settings }: Tenant, { credentials }: ProofAsked) {
    const own = credentials.flatMap((credential) => providerOfAccount(settings.providers, credential) ?? []);
    const isTwo = own.some(({ aal2 }) => aal2.acr.size > 0 || aal2.amr.size > 0);
    const one = { kind: "oidc", assuranceLevel: "aal1" } as const;
    return isTwo ? [one, { ...one, assuranceLevel: "aal2" } as const] : [one];
  }

  loginNodes(tenant: Tenant, { binding }: LoginStage): readonly Node[] {
    return this.#buttons(tenant.settings.providers, binding, texts.continueWith);
  }

  loginOffer(tenant: Tenant, { binding }: LoginStage): readonly JsonObject[] {
    return this.#offers(tenant.settings.providers, binding);
  }

  async proveLogin(attempt: LoginAttempt): Promise<StepVouched | StepRedirects | StepRejected> {
    return this.#take(attempt);
  }

  registrationNodes(tenant: Tenant, { binding }: RegistrationStage): readonly Node[] {
    return this.#buttons(tenant.settings.providers, binding, texts.continueWith);
  }

  registrationOffer(tenant: Tenant, { binding }: RegistrationStage): readonly JsonObject[] {
    return this.#offers(tenant.settings.providers, binding);
  }

  async proveRegistration(attempt: SecretAttempt): Promise<StepVouched | StepRedirects | StepRejected> {
    return this.#take(attempt);
  }

  sectionTitle(): UserMessage {
    return texts.providersTitle();
  }

  readonly settingsSteps = {
    oidc: {
      nodes: (stage: SettingsStage) =>
        this.#buttons(this.#linkable(stage), stage.binding, texts.linkProvider),
      take: async (attempt: SecretAttempt) => {
        const linked = attempt.credentials.filter(({ kind }) => kind === this.kind);
        if (linked.length < this.mostCredentials) return this.#take(attempt);
        return rejected("CREDENTIALS_TOO_MANY", texts.accountsTooMany(this.mostCredentials));
      },
    },
  };

  settingsOffer(stage: SettingsStage): readonly JsonObject[] {
    return this.#offers(this.#linkable(stage), stage.binding);
  }

  /** Whose provider was taken out of the configuration is told so: it is no way in any more. */
  credentialNote(tenant: Tenant, credential: Credential): UserMessage | undefined {
    return this.isWayIn(credential, tenant) ? undefined : texts.providerGone();
  }

  /** The providers that the owner has no account at yet. */
  #linkable({ tenant, credentials }: SettingsStage): readonly Provider[] {
    const { providers } = tenant.settings;
    // An account at an issuer that the same name stood for before is none at this one.
    const linked = new Set(credentials.map((own) => providerOfAccount(providers, own)));
    return providers.filter((provider) => !linked.has(provider));
  }

  readonly mostCredentials = 32;
  readonly importKey = "subject";

  /** Security rule (SR-LINK-10): a link is made with an issuer of the configuration alone, which is who will vouch for the account. */
  async importCredential(
    { field, provider: id, issuer, subject, account }: ImportedOidcAccount,
    { settings }: Tenant,
  ): Promise<{ readonly credential: NewCredential } | { readonly violations: readonly FieldViolation[] }> {
    const provider = providerOf(settings.providers, id);
    const refused = (name: string, description: string, reason: FieldViolation["reason"]) => ({
      violations: [{ field: `${field}.${name}`, description, reason }],
    });
    if (provider === undefined) {
      return refused("provider", "is the id of none of tenant_defaults.oidc.providers", "VALUE");
    }
    const of = issuer === "" && !provider.quirks.has("tenant_in_issuer") ? provider.issuer : issuer;
    if (of === "") return refused("issuer", "is needed: each tenant of the provider has its own", "REQUIRED");
    if (!isIssuerOf(provider, of)) return refused("issuer", "is not one of the provider", "FORMAT");
    return { credential: { ...linkOf(provider, { issuer: of, subject, account }), secret: "" } };
  }

  #buttons(
    providers: readonly Provider[],
    { client }: FlowBinding,
    label: (provider: string) => UserMessage,
  ): readonly Node[] {
    const buttons = providers.map((provider): Node => {
      const { id, name, logo } = provider;
      const isAway = !this.#deps.providers.isAvailable(provider);
      return {
        name: "oidc.provider",
        step: "oidc",
        label: label(name),
        ...(isAway && { help: texts.providerAway(name) }),
        messages: [],
        element: {
          ...{ kind: "button", value: id, importance: "secondary", skipsRequired: true },
          icon: logo === "" ? undefined : logo,
        },
      };
    });
    if (client === "browser" || buttons.length === 0) return buttons;
    const hidden = (name: string): Node => ({
      name,
      step: "oidc",
      messages: [],
      element: { kind: "input", type: "hidden" },
    });
    return [hidden("oidc.returnUrl"), hidden("oidc.exchangeCode"), hidden("oidc.idToken"), ...buttons];
  }

  #offers(providers: readonly Provider[], binding: FlowBinding): readonly JsonObject[] {
    const nonce = binding.client === "native" ? this.#nonceOf(binding) : "";
    return providers.map((provider) => ({
      ...{ provider: provider.id, name: provider.name, logo: provider.logo },
      nonce: takesIdTokens(provider) ? nonce : "",
      unavailable: !this.#deps.providers.isAvailable(provider),
    }));
  }

  async #take(attempt: Attempt): Promise<StepVouched | StepRedirects | StepRejected> {
    const { step, binding } = attempt;
    const { callback, exchangeCode, idToken } = step.fields;
    if (callback instanceof ReceivedCallback) return this.#finish(attempt, callback);
    const isNative = binding.client === "native";
    if (isNative && isText(exchangeCode)) return this.#exchange(attempt, exchangeCode);
    if (isNative && isText(idToken)) return this.#readIdToken(attempt, idToken);
    return this.#begin(attempt);
  }

  /** Throws STEP_NOT_OFFERED. */
  async #begin(attempt: Attempt): Promise<StepRedirects | StepRejected> {
    const { tenant, step, binding, flow } = attempt;
    const provider = this.#provider(tenant, step.fields.provider);
    const returnUrl = isText(step.fields.returnUrl) ? step.fields.returnUrl : "";
    if (binding.client === "native" && !isReturnUrl(returnUrl, tenant.settings.nativeReturnUrls)) {
      throw domainError("RETURN_TO_NOT_ALLOWED", { returnTo: returnUrl });
    }
    const { providers, sealer } = this.#deps;
    const { client } = binding;
    const state = sealState(sealer, {
      ...{ provider: provider.id, flow, client, random: random() },
      returnUrl: client === "native" ? returnUrl : "",
    });
    const [nonce, codeVerifier] = [random(), random()];
    const redirectUri = callbackUrl(tenant, provider);
    const parameters = takesIdTokens(provider) ? askedOf(provider, attempt) : {};
    const begun = await providers.begin(provider, { state, nonce, codeVerifier, redirectUri, parameters });
    if (begun.kind === "failed") return this.#failed(provider, begun);
    const memory = {
      provider: provider.id,
      state: digestOfState(state),
      nonce,
      // Security rule (SR-SOCIAL-3): the verifier is sealed: who reads the database exchanges no code.
      verifier: sealer.seal("oidc_verifier", Buffer.from(codeVerifier)),
    };
    return { kind: "redirects", url: begun.url, memory };
  }

  /** Hands in what came to an app with the system's browser. */
  async #exchange(attempt: Attempt, code: string): Promise<StepVouched | StepRejected> {
    const { sealer, clock } = this.#deps;
    const callback = openCallback(sealer, "exchange", code, clock.now());
    const name = attempt.memory?.provider;
    if (callback === undefined) return invalid(this.#nameOf(attempt.tenant, name));
    return this.#finish(attempt, callback);
  }

  async #finish(
    { tenant, memory, since }: Attempt,
    { provider: id, query }: ReceivedCallback,
  ): Promise<StepVouched | StepRejected> {
    const { providers, sealer } = this.#deps;
    const provider = providerOf(tenant.settings.providers, id);
    const state = new URLSearchParams(query).get("state") ?? "";
    const verifier = isText(memory?.verifier) ? sealer.open("oidc_verifier", memory.verifier) : undefined;
    // Security rule (SR-SOCIAL-1): the answer is to what this very flow asked this very provider last. `state` is good once, because the
    // flow remembers it no longer after the step.
    const isOurs =
      provider !== undefined &&
      memory?.provider === id &&
      isText(memory.nonce) &&
      memory.state === digestOfState(state);
    if (!isOurs || verifier === undefined) return invalid(this.#nameOf(tenant, id));
    const answer = await providers.finish(provider, {
      ...{ query, state, nonce: String(memory.nonce), redirectUri: callbackUrl(tenant, provider) },
      codeVerifier: Buffer.from(verifier).toString(),
    });
    return this.#answered(provider, answer, since);
  }

  async #readIdToken({ tenant, step, binding, since }: Attempt, idToken: string) {
    const provider = this.#provider(tenant, step.fields.provider);
    const nonce = this.#nonceOf(binding);
    // Some apps have to hand over the digest (Apple).
    const hashed = createHash("sha256").update(nonce).digest("hex");
    const answer = await this.#deps.providers.readIdToken(provider, idToken, [nonce, hashed]);
    return this.#answered(provider, answer, since);
  }

  #answered(
    provider: Provider,
    answer: ProviderAnswer | ProviderFailure,
    since: Date | undefined,
  ): StepVouched | StepRejected {
    if (answer.kind === "failed") return this.#failed(provider, answer);
    // Security rule (SR-SOCIAL-10): a login there that was before this one was asked for shows nothing again.
    const isOld =
      since !== undefined &&
      answer.authTime !== undefined &&
      answer.authTime.getTime() < since.getTime() - clockToleranceMs;
    if (isOld) return invalid(provider.name);
    return { kind: "vouched", vouched: vouchedBy(provider, answer, this.#deps.sealer) };
  }

  #failed({ id, name }: Provider, { problem, detail }: ProviderFailure): StepRejected {
    this.#deps.logger.warn({ provider: id, problem, detail }, "a login at a provider has failed");
    switch (problem) {
      case "unavailable":
        return rejected("PROVIDER_UNAVAILABLE", texts.providerUnavailable(name));
      case "denied":
        return rejected("PROVIDER_DENIED", texts.providerDenied(name));
      case "invalid":
        return invalid(name);
      default:
        return problem satisfies never;
    }
  }

  /** Throws STEP_NOT_OFFERED. */
  #provider({ settings }: Tenant, id: unknown): Provider {
    const provider = isText(id) ? providerOf(settings.providers, id) : undefined;
    if (provider === undefined) throw domainError("STEP_NOT_OFFERED", { step: "oidc" });
    return provider;
  }

  #nameOf({ settings }: Tenant, id: unknown): string {
    const provider = isText(id) ? providerOf(settings.providers, id) : undefined;
    return provider?.name ?? (isText(id) ? id : "");
  }

  /** Security rule (SR-SOCIAL-2): made anew after each step, and for this flow alone, so an ID token is good once. */
  #nonceOf({ flowDigest, revision }: FlowBinding): string {
    const challenge = this.#deps.challenges.make(["oidc", "nonce", flowDigest, String(revision)]);
    return Buffer.from(challenge).toString("base64url");
  }
}

/**
 * Where a provider sends browsers back to. Security rule (SR-SOCIAL-5): from the configured address alone, never from a header of a request;
 * and each provider has its own path, so that the answer of one is never taken for that of another (RFC 9700, section 4.4).
 */
export function callbackUrl({ settings }: Tenant, { id }: Pick<Provider, "id">): string {
  return `${settings.publicUrl}/oidc/callback/${id}`;
}

/** Whether a URL is one of those that native apps may be led to; on the loopback address the port is free (RFC 8252, section 7.3). */
function isReturnUrl(url: string, allowed: ReadonlySet<string>): boolean {
  if (allowed.has(url)) return true;
  if (!URL.canParse(url)) return false;
  const parsed = new URL(url);
  const isLoopback = parsed.protocol === "http:" && ["127.0.0.1", "[::1]"].includes(parsed.hostname);
  parsed.port = "";
  return isLoopback && allowed.has(parsed.href);
}

/** What a flow asks of a provider beside what is configured (OpenID Connect Core 1.0, section 3.1.2.1). */
function askedOf({ aal2 }: Provider, { since, isForTwo, typed = "" }: Attempt): Record<string, string> {
  const hint = normaliseIdentifier(typed).kind === "email";
  return {
    // Who shows again who they are shows it anew there as well.
    ...(since && { max_age: "0" }),
    ...(isForTwo && aal2.acr.size > 0 && { acr_values: [...aal2.acr].join(" ") }),
    // Security rule (SR-SOCIAL-8): only what was typed in this flow, never what is known of an account.
    ...(hint && { login_hint: typed }),
  };
}

function takesIdTokens({ endpoints }: Provider): boolean {
  return endpoints.kind === "discovery";
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** 256 bits. */
function random(): string {
  return randomBytes(32).toString("base64url");
}

function invalid(provider: string): StepRejected {
  return rejected("PROVIDER_ANSWER_INVALID", texts.providerAnswerInvalid(provider));
}

function rejected(reason: StepRejected["reason"], message: UserMessage): StepRejected {
  return { kind: "rejected", reason, problems: { fields: [], form: [message] } };
}
