/** What is said of logins that are not accepted. */
import type { StepRejected } from "../../form/rejection.ts";
import type { Authentication } from "../../method/method.ts";
import { passkeyComesSecond, smsComesSecond } from "../../user-message/factor-messages.ts";
import * as texts from "../../user-message/user-messages.ts";

/** Nothing was typed to sign in with. */
export function identifierRequired(): StepRejected {
  const fields = [{ name: "identifier", message: texts.required("identifier") }];
  return { kind: "rejected", reason: "FORM_INCOMPLETE", problems: { fields, form: [] } };
}

/** Something else was submitted than what the flow remembers. */
export function identifierDiffers(chosen: string): StepRejected {
  const problems = { fields: [], form: [texts.anotherIdentifier(chosen)] };
  return { kind: "rejected", reason: "FORM_INCOMPLETE", problems };
}

/** Nobody signs in with it. Only where the configuration prefers friendly answers to safe ones. */
export function nobodySignsIn(): StepRejected {
  return notFound(texts.accountNotFound());
}

/** Nobody signs in with it by a code or link. Likewise. */
export function nobodyToSendTo(): StepRejected {
  return notFound(texts.noCodeSignIn());
}

/** A proof of an address that no longer signs anybody in. */
export function proofWorthless(): StepRejected {
  const problems = { fields: [], form: [texts.invalidCode("login")] };
  return { kind: "rejected", reason: "CODE_INVALID", problems };
}

/** A proof that is asked for second, or as what is asked for second, and is worth too little to begin with. */
export function comesSecond({ authentication }: { readonly authentication: Authentication }): StepRejected {
  if (authentication.sentBy === "sms") {
    const problems = { fields: [], form: [smsComesSecond()] };
    return { kind: "rejected", reason: "SECOND_FACTOR_SAME_KIND", problems };
  }
  const problems = { fields: [], form: [passkeyComesSecond()] };
  return { kind: "rejected", reason: "PASSKEY_INVALID", problems };
}

function notFound(message: texts.UserMessage): StepRejected {
  const problems = { fields: [{ name: "identifier", message }], form: [] };
  return { kind: "rejected", reason: "IDENTITY_NOT_FOUND", problems };
}
