import type { ProviderPreset } from "../preset.ts";
import { apple } from "./apple.ts";
import { discord } from "./discord.ts";
import { github } from "./github.ts";
import { gitlab } from "./gitlab.ts";
import { google } from "./google.ts";
import { keycloak } from "./keycloak.ts";
import { microsoft } from "./microsoft.ts";
import { oauth2 } from "./oauth2.ts";
import { oidc } from "./oidc.ts";
import { okta } from "./okta.ts";

/** Every preset, as the documentation lists them: services, servers that one runs or rents, and the two for all others. */
export const presets: readonly ProviderPreset[] = [
  google,
  github,
  microsoft,
  apple,
  gitlab,
  discord,
  okta,
  keycloak,
  oidc,
  oauth2,
];

/** The preset of an id. */
export function findPreset(id: string): ProviderPreset | undefined {
  return presets.find((preset) => preset.id === id);
}
