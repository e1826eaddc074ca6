import { hexOf } from "../bytes.ts";
import type { IdentityId } from "../ids.ts";
import type { SessionCredential } from "../session/credential.ts";
import type { Limit } from "../tenant/throttle-settings.ts";
import { clientIpSubject } from "./client-ip-subject.ts";
import { deviceSubject } from "./counter-keys.ts";
import type { LimitSubject } from "./limits.ts";

/** The client IP that limits count a call for. */
export interface LimitedClientIp {
  readonly clientIp: string;
  /**
   * Whether it stands for clients who cannot be told apart, because a proxy does not say, or is not believed, for whom it
   * calls. They have several times the limit together: a ceiling in place of a limit.
   */
  readonly isShared: boolean;
}

/** Subjects that an action is counted for. A subject that is not given is not counted. */
export interface ThrottleSubjects {
  /** Undefined where the client IP is not known. */
  readonly clientIp?: LimitedClientIp | undefined;
  /** The digest of the flow's id. */
  readonly flow?: Uint8Array | undefined;
  /** Normalised identifiers of the account, whether or not they exist. */
  readonly accounts?: readonly string[] | undefined;
  /** Identity of the account, if there is one: only its own devices and sessions show the owner. */
  readonly identityId?: IdentityId | undefined;
  /**
   * Identity of the sender of a message who has shown to hold its account, by a first factor or a session. Unlike `identityId` it counts
   * nobody else.
   */
  readonly holder?: IdentityId | undefined;
  /** A device token or the value of a device cookie, as it was sent. */
  readonly device?: string | undefined;
  /** The session that was shown, as it was sent. */
  readonly session?: SessionCredential | undefined;
  /** Name that a code was asked for by: a normalised email address, telephone number or username. */
  readonly recipient?: string | undefined;
  /** Purpose of the code. */
  readonly purpose?: string | undefined;
  /** Address that the message goes to, if it is not the one that was typed. */
  readonly mailbox?: string | undefined;
  /** Address of the message of a registration. Counted if it has a tag, by the part before the tag. */
  readonly registrationMailbox?: string | undefined;
}

/**
 * What stands for a subject in the key of its counter; none where it is not given.
 *
 * Security rule (SR-ENUM-10): an unknown name is counted by itself where an identity would be counted by its id, so that the work is the
 * same (ASVS V6.3.8).
 */
export function subjectOf(
  by: LimitSubject,
  subjects: ThrottleSubjects,
  own: Uint8Array | undefined,
): readonly string[] {
  const { flow, recipient, purpose, mailbox, registrationMailbox } = subjects;
  const clientIp = subjects.clientIp && clientIpKey(subjects.clientIp);
  switch (by) {
    case "clientIp":
      return joined(clientIp);
    case "flow":
      return joined(flow && hexOf(flow));
    case "account":
      return [...new Set(subjects.accounts)];
    case "identity":
      return identityKey(subjects.identityId, subjects.accounts?.[0] ?? recipient);
    case "holder":
      return joined(subjects.holder);
    case "own":
      return joined(own && deviceSubject(own));
    case "mailbox":
      return joined(mailbox);
    case "registrationMailbox":
      return joined(registrationMailbox && untagged(registrationMailbox));
    case "recipient":
      return joined(recipient);
    case "recipient+purpose":
      return joined(recipient, purpose);
    case "recipient+clientIp":
      return joined(recipient, clientIp);
    case "recipient+clientIp+purpose":
      return joined(recipient, clientIp, purpose);
    case "own+recipient":
      return joined(own && deviceSubject(own), recipient);
    default:
      return by satisfies never;
  }
}

/** The subject of the counters that all names of an identity share. */
export function identityKey(id: IdentityId | undefined, name: string | undefined): readonly string[] {
  if (id !== undefined) return [`identity\0${id}`];
  return name === undefined ? [] : [`name\0${name}`];
}

/** Allowance of a limit: several times as much where one client IP stands for many clients. */
export function allowanceOf(
  limit: Limit,
  by: LimitSubject,
  { clientIp }: ThrottleSubjects,
  unlistedProxyFactor: number,
): Limit {
  const isShared = clientIp?.isShared === true && by.includes("clientIp");
  return isShared ? { ...limit, count: limit.count * unlistedProxyFactor } : limit;
}

/** Apart where it is shared, so that a proxy which is listed later begins anew. */
function clientIpKey({ clientIp, isShared }: LimitedClientIp): string {
  return isShared ? `shared\0${clientIpSubject(clientIp)}` : clientIpSubject(clientIp);
}

/**
 * The mailbox that `name+tag@host` goes to at most providers; undefined without a tag. So inventing tags fills a counter
 * that the owner of `name@host` needs for nothing.
 */
function untagged(mailbox: string): string | undefined {
  const plain = mailbox.replace(/\+[^@]*(?=@)/, "");
  return plain === mailbox ? undefined : plain;
}

function joined(...parts: readonly (string | undefined)[]): readonly string[] {
  return parts.some((part) => part === undefined) ? [] : [parts.join("\0")];
}
