import type { CompiledSchema } from "../identity/compiled-schema.ts";
import type { IdentifierTrait } from "../identity/identifier-traits.ts";
import type { FlowKind, MethodKind } from "../kinds.ts";
import { type CredentialMethod, enabledMethods, type Methods, methodsPlaying } from "../method/method.ts";
import type { TenantScope } from "../ports.ts";
import type { Branding } from "../tenant/branding.ts";
import type { Tenant, TenantSettings } from "../tenant/tenant.ts";

/** What a page has to know of a tenant before it begins a flow. */
export interface TenantProfile {
  readonly branding: Branding;
  /** The languages of mail and text messages, the default first. */
  readonly languages: readonly string[];
  readonly identifiers: readonly IdentifierTrait[];
  readonly defaultSchemaId: string;
  readonly defaultCountry: string;
  readonly password: {
    readonly minLength: number;
    readonly maxLength: number;
    readonly breachCheck: boolean;
  };
  readonly login: {
    readonly methods: readonly MethodKind[];
    readonly style: TenantSettings["login"]["style"];
  };
  readonly registration: {
    readonly mode: TenantSettings["registration"]["mode"];
    readonly methods: readonly MethodKind[];
    readonly schemaIds: readonly string[];
  };
  readonly verification: { readonly enabled: boolean; readonly methods: readonly MethodKind[] };
  readonly recovery: { readonly enabled: boolean; readonly methods: readonly MethodKind[] };
  readonly settings: { readonly methods: readonly MethodKind[]; readonly accountDeletion: boolean };
  /** The URL of the development mailbox; empty if there is none. */
  readonly mailboxUrl: string;
}

interface Deps {
  readonly schemas: { current(scope: TenantScope, id: string): Pick<CompiledSchema, "identifiers"> };
  readonly methods: Methods;
  readonly languages: readonly string[];
}

/**
 * Makes the profiles of tenants.
 *
 * Security rule (SR-PAGES-4): everybody may read a profile, so it is made of the configuration alone. It depends on no account, session or
 * caller. A schema that people cannot choose is left out, unless it is the default one.
 */
export class TenantProfiles {
  readonly #deps: Deps;
  /** The profiles by settings, so that each is made once for a loaded configuration. */
  readonly #known = new WeakMap<TenantSettings, TenantProfile>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** The profile of a tenant: the same object until its settings change. */
  of(tenant: Tenant): TenantProfile {
    let profile = this.#known.get(tenant.settings);
    if (profile === undefined) {
      profile = this.#make(tenant);
      this.#known.set(tenant.settings, profile);
    }
    return profile;
  }

  #make(tenant: Tenant): TenantProfile {
    const { methods, languages } = this.#deps;
    const { settings } = tenant;
    const { registration, verification, recovery, password } = settings;
    const registers = registration.mode !== "closed";
    const kindsOf = (own: readonly CredentialMethod[]) => enabledMethods(own, tenant).map(({ kind }) => kind);
    const challengesIn = (flow: FlowKind) =>
      methods.challenges.filter((method) => method.isEnabled(tenant, flow)).map(({ kind }) => kind);
    const firstOf = (own: readonly CredentialMethod[]) =>
      methodsPlaying("first", own, tenant).map(({ kind }) => kind);
    return {
      branding: settings.branding,
      languages,
      identifiers: this.#identifiersOf(tenant),
      defaultSchemaId: settings.defaultSchemaId,
      defaultCountry: settings.defaultCountry,
      password: {
        minLength: password.minLength,
        maxLength: password.maxLength,
        breachCheck: password.breachCheck.enabled,
      },
      login: {
        methods: [...firstOf(methods.login), ...challengesIn("login")],
        style: settings.login.style,
      },
      registration: {
        mode: registration.mode,
        methods: registers ? [...firstOf(methods.registration), ...challengesIn("registration")] : [],
        schemaIds: registers ? [...settings.selfServiceSchemaIds] : [],
      },
      verification: {
        enabled: verification.enabled,
        methods: verification.enabled ? challengesIn("verification") : [],
      },
      recovery: {
        enabled: recovery.enabled,
        methods: recovery.enabled ? challengesIn("recovery") : [],
      },
      settings: {
        methods: kindsOf(methods.settings),
        accountDeletion: settings.settings.accountDeletion.enabled,
      },
      mailboxUrl: settings.mailboxUrl,
    };
  }

  #identifiersOf(tenant: Tenant): readonly IdentifierTrait[] {
    const ids = new Set([tenant.settings.defaultSchemaId, ...tenant.settings.selfServiceSchemaIds]);
    const all = [...ids].flatMap((id) => this.#deps.schemas.current(tenant, id).identifiers);
    const same = (left: IdentifierTrait, right: IdentifierTrait) =>
      left.kind === right.kind && left.title.text === right.title.text;
    return all.filter((trait, index) => all.findIndex((other) => same(other, trait)) === index);
  }
}
