// SPDX-License-Identifier: Apache-2.0
import { fromJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { ClientKind, type Flow, type OidcOffer } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import type { Ostiary } from "./client.ts";
import { type OptionNames, refuseUnknownOptions } from "./options.ts";
import { type SubmitOutcome, submitValues } from "./submit.ts";

/** How a native app signs in at a provider in the system's browser. */
export interface InBrowser {
  /**
   * Where the system's browser goes afterwards: an app link, a custom scheme or a port of the loopback address that the app listens
   * at; one of `oidc.native_return_urls`.
   */
  readonly returnUrl: string;
  /** Opens a URL in the system's browser. */
  open(url: string): unknown;
  /** Resolves with the URL that the app was opened with afterwards. Rejects if the person has given up. */
  waitForReturn(): Promise<string>;
}

/** How a native app signs in at a provider with an ID token that the system or the provider's own SDK gives it. */
export interface ByIdToken {
  /** Gets an ID token for the nonce. Systems that take its SHA-256 digest (Apple) get that in hexadecimal. */
  idToken(nonce: string): Promise<string>;
}

/** How a native app signs in at a provider. A web page gives nothing. */
export type SignInWithOptions = InBrowser | ByIdToken;

const optionNames: OptionNames<InBrowser & ByIdToken> = {
  returnUrl: true,
  open: true,
  waitForReturn: true,
  idToken: true,
};

/** The parameter with which the system's browser leads back to an app. */
const exchangeParameter = "exchange_code";

/** The other providers that a flow offers, in their order: to sign in, to make an account, or in settings to link. */
export function providersOf({ stage }: Flow): readonly OidcOffer[] {
  switch (stage.case) {
    case "enterIdentifier":
    case "fillProfile":
    case "chooseMethod":
      return stage.value.offers.flatMap(({ method }) => (method.case === "oidc" ? [method.value] : []));
    case "changeSettings":
      return stage.value.offers.flatMap(({ part }) => (part.case === "oidc" ? [part.value] : []));
    default:
      return [];
  }
}

/**
 * Goes on with a flow at another provider, in a login or a registration; in settings it links the account there. `provider`: its id, as
 * `providersOf` has it.
 *
 * For a web page, drawn in the browser or by a server, the outcome is a redirect: send the browser to its `url`. It comes back to
 * Ostiary, which takes the answer and leads it on. A native app says how it signs in there; the outcome is then that of the whole.
 * If `open` or `waitForReturn` rejects, so does this; the flow waits, and another way can be chosen.
 *
 * Throws a TypeError for a native flow without options, for a browser flow with them, and for an unknown option.
 */
export async function signInWith(
  ostiary: Pick<Ostiary, "flows">,
  flow: Flow,
  provider: string,
  options?: SignInWithOptions,
): Promise<SubmitOutcome> {
  const isNative = flow.client === ClientKind.NATIVE;
  if (isNative !== (options !== undefined)) {
    throw new TypeError(
      isNative
        ? "signInWith: a native flow needs returnUrl, open and waitForReturn, or idToken"
        : "signInWith: a browser flow takes no options; its outcome is a redirect",
    );
  }
  if (options === undefined) return submitOidc(ostiary, flow, { provider });
  refuseUnknownOptions("signInWith", options, optionNames);
  if ("idToken" in options) {
    const nonce = providersOf(flow).find((offer) => offer.provider === provider)?.nonce ?? "";
    if (nonce === "") throw new TypeError(`signInWith: the flow takes no ID token of "${provider}"`);
    return submitOidc(ostiary, flow, { provider, idToken: await options.idToken(nonce) });
  }
  const { returnUrl } = options;
  const begun = await submitOidc(ostiary, flow, { provider, returnUrl });
  if (begun.kind !== "redirect") return begun;
  await options.open(begun.url);
  const exchangeCode = exchangeCodeIn(await options.waitForReturn(), returnUrl);
  return submitOidc(ostiary, begun.flow, { exchangeCode });
}

function submitOidc(
  ostiary: Pick<Ostiary, "flows">,
  flow: Flow,
  fields: Readonly<Record<string, string>>,
): Promise<SubmitOutcome> {
  const values = Object.entries(fields).map(([name, text]) => [`oidc.${name}`, fromJson(ValueSchema, text)]);
  return submitValues(ostiary, flow, { step: "oidc", values: Object.fromEntries(values) });
}

/** Security: another app may open this one with any URL; without a code of the flow's own it ends here. */
function exchangeCodeIn(opened: string, returnUrl: string): string {
  const code = URL.canParse(opened) ? new URL(opened).searchParams.get(exchangeParameter) : null;
  if (code === null || code === "") {
    throw new TypeError(`signInWith: the app was opened without ${exchangeParameter} at ${returnUrl}`);
  }
  return code;
}
