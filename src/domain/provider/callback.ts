/** What goes to a provider with the browser, and what comes back with it. */
import { createHash } from "node:crypto";
import { isObject, type JsonObject } from "../json.ts";
import type { FlowClient, FlowKind } from "../kinds.ts";
import type { Sealer } from "../ports.ts";

/** What `state` says: which flow waits, and where. Sealed, so that nobody but this server reads or makes one. */
export interface ProviderState {
  readonly provider: string;
  readonly flow: { readonly kind: FlowKind; readonly id: string };
  readonly client: FlowClient;
  /** Native flows: where the system's browser goes afterwards. */
  readonly returnUrl: string;
  /** Random: no two are the same. */
  readonly random: string;
}

/**
 * What a browser came back with, taken by the server itself. It is a class so that nothing that came off the wire is one: only the
 * callback, which has compared `state`, path and browser, makes it.
 */
export class ReceivedCallback {
  readonly provider: string;
  /** The parameters, as a query. */
  readonly query: string;

  constructor(provider: string, query: string) {
    this.provider = provider;
    this.query = query;
  }
}

/** How long a handle or an exchange code is good for. */
const handleLifetimeMs = 60_000;

/** Seals what `state` says. */
export function sealState(sealer: Sealer, state: ProviderState): string {
  return seal(sealer, "oidc_state", { ...state, flow: { ...state.flow } });
}

/** What a `state` says; undefined if this server has not made it. */
export function openState(sealer: Sealer, text: string): ProviderState | undefined {
  return open(sealer, "oidc_state", text) as ProviderState | undefined;
}

/** What a flow remembers of a `state`. */
export function digestOfState(state: string): string {
  return createHash("sha256").update(state).digest("base64url");
}

/** What a callback is handed on as: to our own page (`handle`), or by a native client (`exchange`). */
type Handed = "handle" | "exchange";

/** Seals what came back, for a minute. */
export function sealCallback(
  sealer: Sealer,
  as: Handed,
  { provider, query }: ReceivedCallback,
  at: Date,
): string {
  const expiresAt = at.getTime() + handleLifetimeMs;
  return seal(sealer, `oidc_${as}`, { provider, query, expiresAt });
}

/** What came back; undefined if it was not sealed here, or too long ago. */
export function openCallback(
  sealer: Sealer,
  as: Handed,
  text: string,
  at: Date,
): ReceivedCallback | undefined {
  const { provider, query, expiresAt } = open(sealer, `oidc_${as}`, text) ?? {};
  if (typeof expiresAt !== "number" || expiresAt <= at.getTime()) return undefined;
  return new ReceivedCallback(String(provider), String(query));
}

function seal(sealer: Sealer, purpose: string, value: JsonObject): string {
  return sealer.seal(purpose, Buffer.from(JSON.stringify(value)));
}

function open(sealer: Sealer, purpose: string, text: string): JsonObject | undefined {
  const plain = sealer.open(purpose, text);
  const value = plain && JSON.parse(Buffer.from(plain).toString());
  return isObject(value) ? value : undefined;
}
