import type { ApiKey } from "../../domain/access/api-key.ts";
import type { EventActor } from "../../domain/event/event.ts";
import type { Identity } from "../../domain/identity/identity.ts";
import type { Instant } from "../../domain/instant.ts";
import type { Session } from "../../domain/session/session.ts";
import type { Exchange } from "../net/exchange.ts";

/** Who makes a call, once it is authenticated. */
export type Caller =
  | { readonly kind: "anonymous" }
  | SessionCaller
  | { readonly kind: "api_key"; readonly apiKey: ApiKey }
  | {
      readonly kind: "certificate";
      readonly name: string;
      readonly scopes: readonly string[];
      /** When the certificate ends; what its holder makes does not outlive it. */
      readonly expiresAt: Instant;
    };

/** Somebody who is signed in. */
export type SessionCaller = {
  readonly kind: "session";
  readonly session: Session;
  readonly identity: Identity;
} & (
  | { readonly credential: "bearer" }
  /** What a cookie authenticates must come from an allowed origin. */
  | {
      readonly credential: "cookie";
      /** The value that counts, and whether another one was of a session of another identity. */
      readonly cookie: { readonly value: string; readonly otherIdentity: boolean };
    }
);

/** The caller before anything is authenticated. */
export const anonymous: Caller = { kind: "anonymous" };

/** What a caller is called. */
export interface CallerNames {
  /** In events. */
  readonly actor: EventActor;
  /** In the log: the id of the identity or key, the name of the certificate. */
  readonly id: string | undefined;
  /** In the keys of idempotency: another session of the same identity is another caller. */
  readonly key: string;
}

/** What a caller is called in events, in the log and in the keys of idempotency. */
export function namesOf(caller: Caller): CallerNames {
  switch (caller.kind) {
    case "anonymous":
      return { actor: caller, id: undefined, key: "anonymous" };
    case "session": {
      const { id } = caller.identity;
      return { actor: { kind: "identity", identityId: id }, id, key: `session:${caller.session.id}` };
    }
    case "api_key": {
      const { id } = caller.apiKey;
      return { actor: { kind: "api_key", apiKeyId: id }, id, key: `api_key:${id}` };
    }
    case "certificate": {
      const { name } = caller;
      return { actor: { kind: "certificate", name }, id: name, key: `certificate:${name}` };
    }
    default: {
      const unreachable: never = caller;
      return unreachable;
    }
  }
}

const apiKeyPrefix = "ost_key_";

/** The kind of credential that the headers of a request, or its connection, show; a session where they show none. */
export function credentialKindOf(exchange: Exchange): "session" | "api_key" {
  const bearer = bearerOf(exchange);
  if (bearer.kind === "token") return bearer.text.startsWith(apiKeyPrefix) ? "api_key" : "session";
  return exchange.peer.certificate === undefined ? "session" : "api_key";
}

/** What an Authorization header holds. */
export type Bearer =
  | { readonly kind: "absent" }
  | { readonly kind: "token"; readonly text: string }
  | { readonly kind: "malformed"; readonly message: string };

const absent: Bearer = { kind: "absent" };

/** What the Authorization header of a request holds. */
export function bearerOf(exchange: Exchange): Bearer {
  const header = exchange.header("authorization");
  if (header === undefined) return absent;
  // Node keeps the first of several; a proxy in front may have checked another one.
  if (exchange.headerCount("authorization") > 1) {
    return { kind: "malformed", message: "The Authorization header was sent more than once." };
  }
  // RFC 9110, section 11.1: the scheme is case-insensitive. Another scheme is meant for someone else.
  if (!/^bearer(?: |$)/i.test(header)) return absent;
  const text = header.slice("bearer".length).trim();
  if (text === "" || /\s/.test(text)) {
    return { kind: "malformed", message: "The Authorization header has no single token after `Bearer`." };
  }
  return { kind: "token", text };
}
