/** All methods. A new one is a folder beside these, and a line here. */
import type { Clock, OneTimeCodes, PasswordHasher, Sealer, Tokens } from "../ports.ts";
import { CodeMethod } from "./code/code-method.ts";
import { LinkMethod } from "./link/link-method.ts";
import type { Methods } from "./method.ts";
import { PasswordMethod } from "./password/password-method.ts";
import type { PasswordPolicy } from "./password/policy.ts";

/** What methods are made of; each takes what it needs. */
interface MethodParts {
  readonly hasher: PasswordHasher;
  readonly policy: PasswordPolicy;
  readonly codes: OneTimeCodes;
  readonly tokens: Tokens;
  readonly sealer: Sealer;
  readonly clock: Clock;
}

/** Makes the methods, each in the order to offer it. */
export function createMethods(deps: MethodParts): Methods {
  const password = new PasswordMethod(deps);
  return {
    login: [password],
    registration: [password],
    settings: [password],
    challenges: [new CodeMethod(deps), new LinkMethod(deps)],
  };
}
