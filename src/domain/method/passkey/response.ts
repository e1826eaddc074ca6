/** Reads what a browser or an app answered: the JSON forms of WebAuthn level 3, section 5.1. */
import { checkJsonLimits } from "../../identity/json-limits.ts";
import { isObject, type JsonObject, type JsonValue } from "../../json.ts";
import type { PasskeyAssertion, PasskeyAttestation } from "../../ports.ts";

/** Of a whole answer. A real one has a few KiB, with an RSA key and extensions. */
const limits = { maxBytes: 32 * 1024, maxStringLength: 32 * 1024 };
/** WebAuthn level 3, section 4: a credential id has at most 1023 bytes. */
const idPattern = /^[A-Za-z0-9_-]{1,1364}$/;
const knownTransports = new Set(["ble", "hybrid", "internal", "nfc", "smart-card", "usb"]);

/** An assertion, with the user handle that came with it. */
export interface AssertionResponse extends PasskeyAssertion {
  readonly userHandle: string | undefined;
}

/** The answer about a new passkey. */
export interface AttestationResponse extends PasskeyAttestation {
  readonly transports: readonly string[];
  /** What the browser says of it. Undefined: nothing. */
  readonly isDiscoverable: boolean | undefined;
}

/** Whether there is any answer. */
export function isMissing(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}

/** The id of the credential that an answer is of; empty if it names none. */
export function credentialIdOf(value: unknown): string {
  return read(value)?.id ?? "";
}

/** An assertion as it came; undefined if it is none. */
export function readAssertion(value: unknown): AssertionResponse | undefined {
  const { id, inner } = read(value) ?? {};
  const clientDataJson = textOf(inner?.clientDataJSON);
  const authenticatorData = textOf(inner?.authenticatorData);
  const signature = textOf(inner?.signature);
  if (!id || !clientDataJson || !authenticatorData || !signature) return undefined;
  const userHandle = textOf(inner?.userHandle) || undefined;
  return { id, clientDataJson, authenticatorData, signature, userHandle };
}

/** The answer about a new passkey as it came; undefined if it is none. */
export function readAttestation(value: unknown): AttestationResponse | undefined {
  const { id, inner, extensions } = read(value) ?? {};
  const clientDataJson = textOf(inner?.clientDataJSON);
  const attestationObject = textOf(inner?.attestationObject);
  if (!id || !clientDataJson || !attestationObject) return undefined;
  const given = Array.isArray(inner?.transports) ? inner.transports.map(textOf) : [];
  const transports = [...new Set(given.filter((transport) => knownTransports.has(transport)))].sort();
  const properties = memberOf(extensions, "credProps");
  const isDiscoverable = typeof properties?.rk === "boolean" ? properties.rk : undefined;
  return { id, clientDataJson, attestationObject, transports, isDiscoverable };
}

/** The parts of an answer, as an object or as a text with its JSON. */
function read(value: unknown) {
  const object = typeof value === "string" ? parse(value) : (value as JsonValue | undefined);
  if (!isObject(object) || checkJsonLimits(object, limits) !== undefined) return undefined;
  const { id, rawId = id, type } = object;
  if (typeof id !== "string" || !idPattern.test(id) || rawId !== id || type !== "public-key")
    return undefined;
  return { id, inner: memberOf(object, "response"), extensions: memberOf(object, "clientExtensionResults") };
}

function parse(text: string): JsonValue | undefined {
  if (text.length > limits.maxBytes) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function memberOf(object: JsonObject | undefined, name: string): JsonObject | undefined {
  const value = object?.[name];
  return isObject(value) ? value : undefined;
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
