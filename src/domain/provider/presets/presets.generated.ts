// Written by scripts/generate-presets.ts (`make generate`).
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

/** Every preset. Each is a file beside this one that exports a constant of its name. */
export const presets: readonly ProviderPreset[] = [
  apple,
  discord,
  github,
  gitlab,
  google,
  keycloak,
  microsoft,
  oauth2,
  oidc,
  okta,
];
