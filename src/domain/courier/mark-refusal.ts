import { isAskedFor, isForAnyAddress } from "./message.ts";
import type { AddressMark, ClaimedMessage } from "./store.ts";

/** For how long no code is sent to an address after mail has come back from it; then one that somebody asks for tries it again. */
export const holdMs = 24 * 60 * 60_000;

/** Why a message does not go to a marked address. */
export interface MarkRefusal {
  readonly reason: "address_bounced" | "address_complained";
  /** For operators. */
  readonly error: string;
}

/**
 * Why a message is not sent: mail to its address has come back, or its reader complained. Undefined: it is sent.
 *
 * Security rule (SR-MAIL-8): it is decided when the message is sent, and not when it is asked for: who asks gets the same answer, and as
 * soon, as for an address that nobody has. What goes to any address that is typed goes to one that only its account's mail has marked.
 */
export function markRefusal(
  { mark, template }: Pick<ClaimedMessage, "mark" | "template">,
  now: Date,
): MarkRefusal | undefined {
  if (mark === undefined) return undefined;
  if (!isAskedFor(template) && mark.complainedAt !== undefined && !isForAnyAddress(template)) {
    return { reason: "address_complained", error: "ADDRESS_COMPLAINED: its reader has complained of mail" };
  }
  const bounced = {
    reason: "address_bounced",
    error: "ADDRESS_BOUNCED: mail to its address came back",
  } as const;
  if (isForAnyAddress(template)) return isHeld(mark.openAt, now) ? bounced : undefined;
  if (!isAskedFor(template)) return mark.bouncedAt === undefined ? undefined : bounced;
  return isHeld(mark.bouncedAt, now) ? bounced : undefined;
}

/**
 * Whether who types an address is told that mail to it came back.
 *
 * Security rule (SR-MAIL-8): only what mail has shown that goes to any address; so it says nothing about whether somebody has it.
 */
export function isOpenlyBounced(mark: Pick<AddressMark, "openAt"> | undefined, now: Date): boolean {
  return isHeld(mark?.openAt, now);
}

function isHeld(since: Date | undefined, now: Date): boolean {
  return since !== undefined && now.getTime() - since.getTime() < holdMs;
}
