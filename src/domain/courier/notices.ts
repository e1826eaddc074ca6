import { verifiedAddresses } from "../flow/address-proofs.ts";
import type { ProofTarget } from "../flow/flow.ts";
import type { Identity } from "../identity/identity.ts";
import { type MessageContent, newMessage } from "./message.ts";
import type { Outbox, SealedMessage } from "./outbox.ts";

/**
 * Tells the owner of an account what happened to it, at every address that they have shown to be theirs: whoever did it
 * cannot read all of them (ASVS V6.3.7).
 */
export function noticesTo(
  outbox: Outbox,
  identity: Identity,
  content: MessageContent,
  how: { readonly at: Date; readonly language: string; readonly to?: readonly ProofTarget[] },
): readonly SealedMessage[] {
  return (how.to ?? verifiedAddresses(identity)).map(({ kind, value }) =>
    outbox.seal(
      newMessage(content, how.at, {
        channel: kind === "phone" ? "sms" : "email",
        recipient: value,
        language: how.language,
        identityId: identity.id,
      }),
    ),
  );
}
