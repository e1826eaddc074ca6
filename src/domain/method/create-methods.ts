/** All methods. A new one is a folder beside these, and a line here. */
import type {
  BoundChallenges,
  Clock,
  Logger,
  OneTimeCodes,
  PasskeyVerifier,
  PasswordHasher,
  Sealer,
  Tokens,
} from "../ports.ts";
import type { ProviderClient } from "../provider/provider.ts";
import { BackupCodeMethod } from "./backup-code/backup-code-method.ts";
import { CodeMethod } from "./code/code-method.ts";
import { LinkMethod } from "./link/link-method.ts";
import type { Methods } from "./method.ts";
import { OidcMethod } from "./oidc/oidc-method.ts";
import { PasskeyMethod } from "./passkey/passkey-method.ts";
import type { BreachedAtLogin } from "./password/breached-at-login.ts";
import { PasswordMethod } from "./password/password-method.ts";
import type { PasswordPolicy } from "./password/policy.ts";
import { SmsMethod } from "./sms/sms-method.ts";
import { TotpMethod } from "./totp/totp-method.ts";

/** What methods are made of; each takes what it needs. */
interface MethodParts {
  readonly hasher: PasswordHasher;
  readonly policy: PasswordPolicy;
  readonly breaches: Pick<BreachedAtLogin, "note">;
  readonly codes: OneTimeCodes;
  readonly tokens: Tokens;
  readonly sealer: Sealer;
  readonly passkeys: PasskeyVerifier;
  readonly challenges: BoundChallenges;
  readonly providers: ProviderClient;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Makes the methods, each in the order to offer it. */
export function createMethods(deps: MethodParts): Methods {
  const password = new PasswordMethod(deps);
  const passkey = new PasskeyMethod(deps);
  const totp = new TotpMethod(deps);
  const sms = new SmsMethod(deps);
  const backupCode = new BackupCodeMethod(deps);
  const oidc = new OidcMethod(deps);
  return {
    login: [password, passkey, totp, sms, backupCode, oidc],
    registration: [password, passkey, oidc],
    settings: [password, passkey, totp, sms, backupCode, oidc],
    challenges: [new CodeMethod(deps), new LinkMethod(deps)],
    imports: [totp, passkey, oidc],
  };
}
