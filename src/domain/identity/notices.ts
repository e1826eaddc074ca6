import { channelOf, type MessageContent, newMessage } from "../courier/message.ts";
import type { Outbox, SealedMessage } from "../courier/outbox.ts";
import { deviceName } from "../event/device-name.ts";
import type { CallOrigin } from "../event/event.ts";
import type { MessageId } from "../ids.ts";
import type { JsonObject } from "../json.ts";
import type { ContactAddress } from "./addresses.ts";
import { isSameAddress, verifiedAddresses } from "./addresses.ts";
import type { Identity } from "./identity.ts";
import { maskAddress } from "./mask-address.ts";

/** Options of a notice. */
interface NoticeOptions {
  readonly at: Date;
  readonly language: string;
  readonly clientData?: JsonObject | undefined;
  /** Whose call it was; unknown, it is not told, as of what operators do. */
  readonly origin?: CallOrigin | undefined;
  /** The id of the message to an address, of a notice that is written once, however often it is made. */
  readonly idFor?: (address: ContactAddress) => MessageId;
}

/** When and where something happened, as a notice tells it. */
export interface NoticePlace {
  readonly time: Date;
  readonly device: string;
}

/** When and where a call did something. */
export function placeOf(origin: CallOrigin, time: Date): NoticePlace {
  return { time, device: deviceName(origin) };
}

/** The options of the notices that a flow sends, from what it remembers and from the call. */
export function noticeOf(
  { data }: { readonly data: { readonly language?: string; readonly clientData?: JsonObject } },
  at: Date,
  origin: CallOrigin,
): NoticeOptions {
  return { at, language: data.language ?? "", clientData: data.clientData, origin };
}

/**
 * Tells the owner of an account what happened to it, at every verified address: an attacker rarely
 * reads all of them (ASVS V6.3.7).
 */
export function noticesTo(
  outbox: Outbox,
  identity: Identity,
  content: MessageContent,
  how: NoticeOptions,
): readonly SealedMessage[] {
  return verifiedAddresses(identity).map((address) => notice(outbox, address, content, how));
}

/**
 * Tells the owner which addresses came and went, at every address that was verified before the change.
 *
 * Security rule (SR-OWNER-9): an address that had a say in the account is told when that is taken away, by every way to take it away,
 * and so are the others. No notice is sent for an address that only moves to another trait, unless it no longer signs in
 * or recovers.
 */
export function addressNotices(
  outbox: Outbox,
  before: Identity,
  { added, removed, demoted }: AddressChanges,
  how: NoticeOptions,
): readonly SealedMessage[] {
  const masked = (addresses: readonly Address[]) => addresses.map(maskAddress).join(", ");
  const came = { new_address_masked: masked(added) };
  const lost = [...removed, ...demoted];
  const went = { removed_address_masked: masked(lost) };
  return verifiedAddresses(before).flatMap((address) => {
    const isRemoved = removed.some((gone) => isSameAddress(gone, address));
    const contents: MessageContent[] = [];
    if (added.length > 0) {
      contents.push(
        isRemoved ? { template: "address_changed", data: came } : { template: "address_added", data: came },
      );
    }
    if (lost.length > 0 && !(isRemoved && added.length > 0)) {
      contents.push({ template: "address_removed", data: went });
    }
    return contents.map((content) => notice(outbox, address, content, how));
  });
}

/** Which addresses came, which verified ones went, and which of those that stay do less than before. */
type AddressChanges = Readonly<Record<"added" | "removed" | "demoted", readonly Address[]>>;
type Address = Pick<ContactAddress, "kind" | "value">;

function notice(
  outbox: Outbox,
  address: ContactAddress,
  content: MessageContent,
  { at, language, clientData, origin, idFor }: NoticeOptions,
): SealedMessage {
  const { kind, value, identityId } = address;
  const place = origin === undefined ? { time: at, device: "" } : placeOf(origin, at);
  return outbox.seal(
    newMessage(withPlace(content, place), at, {
      channel: channelOf(kind),
      recipient: value,
      language,
      identityId,
      clientData,
      id: idFor?.(address),
    }),
  );
}

/** Adds when and where it happened, where the notice does not say so itself. */
function withPlace(content: MessageContent, place: NoticePlace): MessageContent {
  return { ...content, data: { ...place, ...content.data } } as MessageContent;
}
