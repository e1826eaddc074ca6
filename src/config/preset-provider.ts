import type { ProviderPreset } from "../domain/provider/preset.ts";
import { presets } from "../domain/provider/presets/presets.generated.ts";
import { findPreset } from "../domain/provider/presets/presets.ts";
import { closest } from "../domain/suggest.ts";
import type { CompleteConfig } from "./complete-config.ts";
import type { Problem } from "./problems.ts";

/** A provider as the configuration has it. */
export type GivenProvider = CompleteConfig["tenantDefaults"]["oidc"]["providers"][number];

/** A provider of the configuration with its preset. */
export interface PresetProvider {
  /** The path of its keys. */
  readonly key: string;
  readonly given: GivenProvider;
  readonly preset: ProviderPreset;
  /** The issuer with the operator's own part filled in; empty if it is not known. */
  readonly issuer: string;
  /** Where it talks to without discovery; undefined: by discovery. */
  readonly fixed: ProviderPreset["fixed"];
}

/** Finds the preset of a provider: the one that it names, else the one of its id, else `oidc`. */
export function withPreset(
  key: string,
  given: GivenProvider,
):
  | { readonly kind: "known"; readonly provider: PresetProvider }
  | { readonly kind: "unknown"; readonly problem: Problem } {
  const preset =
    given.preset === "" ? (findPreset(given.id) ?? findPreset("oidc")) : findPreset(given.preset);
  if (preset === undefined) {
    const ids = presets.map(({ id }) => id);
    const meant = closest(given.preset, ids);
    const hint = meant === undefined ? `there is ${ids.join(", ")}` : `did you mean ${meant}?`;
    return { kind: "unknown", problem: { key: `${key}.preset`, message: `is no preset; ${hint}` } };
  }
  const issuer = given.issuer === "" ? issuerOf(preset, given.domain) : given.issuer;
  return { kind: "known", provider: { key, given, preset, issuer, fixed: fixedOf(preset, given) } };
}

/** The tenants of Microsoft whose issuer has the tenant of each account. */
export const sharedTenants: readonly string[] = ["common", "organizations"];

function issuerOf(preset: ProviderPreset, configured: string): string {
  const domain = configured === "" ? (preset.defaultDomain ?? "") : configured;
  if (!preset.issuer.includes("{domain}")) return preset.issuer;
  if (domain === "") return "";
  const isShared = preset.quirks.includes("tenant_in_issuer") && sharedTenants.includes(domain);
  return preset.issuer.replace("{domain}", isShared ? "{tenantid}" : domain);
}

function fixedOf({ fixed }: ProviderPreset, given: GivenProvider): ProviderPreset["fixed"] {
  return (
    fixed && {
      authorizationUrl: given.authorizationUrl || fixed.authorizationUrl,
      tokenUrl: given.tokenUrl || fixed.tokenUrl,
      userinfoUrl: given.userinfoUrl || fixed.userinfoUrl,
      subjectField: given.subjectField || fixed.subjectField,
    }
  );
}
