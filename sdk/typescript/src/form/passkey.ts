// SPDX-License-Identifier: Apache-2.0
import type { JsonObject } from "@bufbuild/protobuf";
import type { FormTexts } from "./texts.ts";

/** A call of the browser for a passkey, which fills in one field. */
export interface FormPasskey {
  /** The step whose button calls it. */
  readonly step: string;
  /** What its answer is sent as. */
  readonly name: string;
  /** What it is called with: the JSON form of WebAuthn level 3. */
  readonly options: JsonObject;
  /** To show a passkey, or to make one. */
  readonly ceremony: "get" | "create";
  /**
   * Whether the browser may be called as soon as the form is drawn: it offers passkeys in the field of the name, or makes one by
   * itself.
   */
  readonly conditional: boolean;
}

/** Why no passkey was shown or made. */
export class PasskeyError extends Error {
  override readonly name = "PasskeyError";
  /** Which of the form's words say it. */
  readonly said: keyof FormTexts;

  constructor(said: keyof FormTexts, cause: unknown) {
    super(`No passkey was shown or made: ${said}`, { cause });
    this.said = said;
  }
}

/** Loaded with the first form that has a passkey; a page without one never loads it. */
const load = () => import("@simplewebauthn/browser");

/** Has what a press of a button needs at hand: a browser asks for a passkey only shortly after the press. */
export function prepare(passkeys: readonly FormPasskey[]): void {
  if (passkeys.length > 0) void load().catch(() => undefined);
}

/**
 * Fills in the answers of the passkeys that belong to the pressed button. `chosen`: the answer of one that was chosen in the field of
 * the name. Rejects with a PasskeyError.
 */
export async function fillInPasskeys(
  passkeys: readonly FormPasskey[],
  { data, step }: { readonly data: FormData; readonly step: string },
  chosen?: string,
): Promise<void> {
  for (const passkey of passkeys.filter((each) => each.step === step)) {
    data.set(passkey.name, chosen ?? (await ask(passkey)));
  }
}

async function ask({ options, ceremony }: FormPasskey): Promise<string> {
  const webauthn = await load();
  if (!webauthn.browserSupportsWebAuthn()) throw new PasskeyError("passkeyUnsupported", undefined);
  try {
    const answer =
      ceremony === "create"
        ? await webauthn.startRegistration({ optionsJSON: options as never })
        : await webauthn.startAuthentication({ optionsJSON: options as never });
    return JSON.stringify(answer);
  } catch (error) {
    throw new PasskeyError(saidOf(error), error);
  }
}

/**
 * Calls the browser as soon as a form is drawn, and gives the answer. It offers passkeys in the field of the name until one is chosen
 * there; or it makes a passkey by itself, right after a login by password. Undefined if the browser cannot, or was told to stop: by
 * `stopOffering`, or because a button asks for a passkey.
 */
export async function offerPasskey({ options, ceremony }: FormPasskey): Promise<string | undefined> {
  try {
    const webauthn = await load();
    const optionsJSON = options as never;
    if (ceremony === "create") {
      if (!(await canMakeByItself())) return undefined;
      return JSON.stringify(await webauthn.startRegistration({ optionsJSON, useAutoRegister: true }));
    }
    if (!(await webauthn.browserSupportsWebAuthnAutofill())) return undefined;
    const answer = await webauthn.startAuthentication({
      optionsJSON,
      useBrowserAutofill: true,
      verifyBrowserAutofillInput: false,
    });
    return JSON.stringify(answer);
  } catch {
    // Nobody asked for it, so nothing is said: the button is still there.
    return undefined;
  }
}

/** Whether the browser makes passkeys without asking (conditional creation). */
async function canMakeByItself(): Promise<boolean> {
  const capabilities = await globalThis.PublicKeyCredential?.getClientCapabilities?.();
  return capabilities?.conditionalCreate === true;
}

/** Ends what `offerPasskey` has begun. */
export function stopOffering(): void {
  void load().then(
    ({ WebAuthnAbortService }) => WebAuthnAbortService.cancelCeremony(),
    () => undefined,
  );
}

/** Browsers tell little, so that a page learns nothing of a person who says no. */
function saidOf(error: unknown): keyof FormTexts {
  const { code, name } = (error ?? {}) as { readonly code?: unknown; readonly name?: unknown };
  switch (code) {
    case "ERROR_AUTHENTICATOR_PREVIOUSLY_REGISTERED":
      return "passkeyThere";
    case "ERROR_INVALID_DOMAIN":
    case "ERROR_INVALID_RP_ID":
      return "passkeyInsecure";
    case "ERROR_AUTHENTICATOR_MISSING_DISCOVERABLE_CREDENTIAL_SUPPORT":
    case "ERROR_AUTHENTICATOR_MISSING_USER_VERIFICATION_SUPPORT":
    case "ERROR_AUTHENTICATOR_NO_SUPPORTED_PUBKEYCREDPARAMS_ALG":
      return "passkeyUnfit";
    default:
      return name === "SecurityError" ? "passkeyInsecure" : "passkeyCancelled";
  }
}
