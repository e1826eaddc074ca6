/** All methods. A new one is a folder beside these, and a line here. */
import type { OneTimeCodes, PasswordHasher, Tokens } from "../ports.ts";
import { CodeMethod } from "./code/code-method.ts";
import { LinkMethod } from "./link/link-method.ts";
import type { Methods } from "./method.ts";
import { PasswordMethod } from "./password/password-method.ts";
import type { PasswordPolicy } from "./password/policy.ts";

/** Makes the methods, each in the order to offer it. */
export function createMethods(deps: {
  readonly hasher: PasswordHasher;
  readonly policy: PasswordPolicy;
  readonly codes: OneTimeCodes;
  readonly tokens: Tokens;
}): Methods {
  const password = new PasswordMethod(deps);
  return {
    login: [password],
    registration: [password],
    settings: [password],
    challenges: [new CodeMethod(deps), new LinkMethod(deps)],
  };
}
