// SPDX-License-Identifier: Apache-2.0
import type { Flow } from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import type { Rejected } from "../../../../gen/ostiary/flow/v1/outcome_pb.js";

/** The methods by which a page tells a browser of passkeys (WebAuthn level 3, section 5.1.10). Some browsers have none of them. */
interface Signals {
  signalUnknownCredential?(unknown: object): Promise<void>;
  signalAllAcceptedCredentials?(accepted: object): Promise<void>;
  signalCurrentUserDetails?(details: object): Promise<void>;
}

/**
 * Tells the browser which passkeys the account of a settings flow has, and its name, so that password managers offer no passkey that was
 * removed. It does nothing for other flows and in browsers that cannot be told. The forms of this package call it.
 */
export function signalPasskeys({ stage }: Pick<Flow, "stage">): void {
  if (stage.case !== "changeSettings") return;
  for (const { part } of stage.value.offers) {
    if (part.case !== "passkey") continue;
    for (const { rpId, userId, allAcceptedCredentialIds, name, displayName } of part.value.accepted) {
      tell("signalAllAcceptedCredentials", { rpId, userId, allAcceptedCredentialIds });
      tell("signalCurrentUserDetails", { rpId, userId, name, displayName });
    }
  }
}

/**
 * Tells the browser of a passkey that no account has, if the server says so of a rejected login. Otherwise, and in browsers that cannot
 * be told, it does nothing. `submit` calls it.
 */
export function signalUnknownPasskey({ detail }: Pick<Rejected, "detail">): void {
  if (detail.case !== "passkey" || detail.value.unknown === undefined) return;
  const { rpId, credentialId } = detail.value.unknown;
  tell("signalUnknownCredential", { rpId, credentialId });
}

/** Nobody waits for it, and a browser that refuses is left alone: what is told is of use to password managers only. */
function tell(method: keyof Signals, what: object): void {
  const signals = globalThis.PublicKeyCredential as Signals | undefined;
  try {
    signals?.[method]?.(what).catch(() => undefined);
  } catch {
    // It has the method by name alone.
  }
}
