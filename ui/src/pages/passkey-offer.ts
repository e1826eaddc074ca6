import type { Flow } from "@ostiary/sdk/v1/flow";

/** How long a person who said "Not now" is not asked again on this browser: 30 days. */
const putOffMs = 30 * 24 * 60 * 60 * 1000;

/** Whether a flow offers to make a passkey, after a login by password. */
export function isOffer({ stage }: Flow): boolean {
  return stage.case === "createPasskey";
}

/** Whether the offer is shown: not by a browser that can make no passkey, nor to a person who has put it off. */
export function isOfferWanted(flow: Flow): boolean {
  if (window.PublicKeyCredential === undefined) return false;
  return Date.now() - putOffAt(flow) > putOffMs;
}

/** Remembers that a person wants no passkey now. */
export function putOff(flow: Flow): void {
  try {
    window.localStorage.setItem(keyOf(flow), String(Date.now()));
  } catch {
    // See below.
  }
}

// A browser that keeps nothing for this page throws; the question then comes with each login.
function putOffAt(flow: Flow): number {
  try {
    return Number(window.localStorage.getItem(keyOf(flow)));
  } catch {
    return 0;
  }
}

function keyOf({ account }: Flow): string {
  return `ostiary.passkey-put-off.${account?.identityId ?? ""}`;
}
