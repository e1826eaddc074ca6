import { type IdentityId, type MessageId, newId } from "../ids.ts";
import { type Instant, instantOf, type Never, never } from "../instant.ts";
import type { JsonObject } from "../json.ts";
import type { CredentialKind } from "../kinds.ts";

/** Channel of a message. */
export type MessageChannel = "email" | "sms";

/** The channel that reaches an address of a kind; undefined: of an address that is not known, by mail. */
export function channelOf(kind: "email" | "phone" | undefined): MessageChannel {
  return kind === "phone" ? "sms" : "email";
}

interface CodeData {
  readonly code: string;
  /** For how many minutes from now the code is good. */
  readonly minutes: number;
}

interface LinkData {
  readonly url: string;
  /** For how many minutes from now the link is good. */
  readonly minutes: number;
}

interface InvitationData {
  readonly url: string;
  /** The moment that the invitation ends. */
  readonly until: Date;
}

/** When and where something happened. */
interface PlaceData {
  readonly time: Date;
  readonly device: string;
}

interface CredentialData extends PlaceData {
  readonly kind: CredentialKind;
  /** The name that its owner gave it; empty if there is none. */
  readonly label: string;
}

/** The same of a notice; not there in one that an older release has written. */
type NoticeData = Partial<PlaceData>;

type NoData = Readonly<Record<never, never>>;

/** Data of each template. The names are permanent: overriding template files use them. */
export interface TemplateData {
  readonly login_code: CodeData;
  readonly registration_code: CodeData;
  readonly verification_code: CodeData;
  readonly recovery_code: CodeData;
  readonly login_link: LinkData;
  readonly registration_link: LinkData;
  readonly verification_link: LinkData;
  readonly recovery_link: LinkData;
  /** An operator invites a person to register. */
  readonly invitation: InvitationData;
  /** A registration with an address that has an account already. */
  readonly registration_taken: NoData;
  readonly password_changed: NoticeData;
  /** Many wrong codes were entered; when and where the last one was. */
  readonly wrong_codes: NoticeData & { readonly count: number };
  /** A way to sign in or a second factor was added, or put in the place of a former one. */
  readonly credential_added: CredentialData;
  readonly credential_removed: CredentialData;
  /** Logins ask for credentials of a kind beside another proof, or no more. */
  readonly second_factor_changed: PlaceData & { readonly kind: CredentialKind; readonly enabled: boolean };
  /** The account was signed in to on a device that is not known. */
  readonly login_new_device: PlaceData;
  /** Somebody showed the right first factor and a wrong second one. */
  readonly second_factor_failed: PlaceData;
  /** A backup code was used; so many are left. */
  readonly backup_code_used: PlaceData & { readonly remaining: number };
  readonly recovery_completed: NoticeData;
  /** Somebody has proved an address, and can recover the account from then on. `url`: stops it; empty where no page can. */
  readonly recovery_held: {
    readonly until: Date;
    readonly address_masked: string;
    readonly device: string;
    readonly url: string;
  };
  readonly recovery_stopped: NoticeData;
  /** Told to the old address. */
  readonly address_changed: NoticeData & { readonly new_address_masked: string };
  readonly address_added: NoticeData & { readonly new_address_masked: string };
  /** Addresses that were taken away, or no longer sign in or recover; told to every verified one. Several with commas. */
  readonly address_removed: NoticeData & { readonly removed_address_masked: string };
  /** The day that the account will be deleted on. `url`: the page where its owner can keep it; empty where there is none. */
  readonly account_deletion_scheduled: NoticeData & { readonly date: Date; readonly url: string };
  /** It is gone, without a period of grace. */
  readonly account_deleted: NoticeData;
  /** Its deletion was cancelled. */
  readonly account_kept: NoticeData;
}

/** Template of a message. */
export type MessageTemplate = keyof TemplateData;

/** A template with its data. */
export type MessageContent = {
  readonly [Template in MessageTemplate]: {
    readonly template: Template;
    readonly data: TemplateData[Template];
    /** The client data of the flow that the message is from, for templates. Anybody can send it: see docs/templates.md. */
    readonly clientData?: JsonObject | undefined;
  };
}[MessageTemplate];

const samplePlace = { time: new Date("2026-12-24T12:00:00Z"), device: "Firefox, Linux, 192.0.2.1" };

/** All templates, with data to try each of them with. */
const sampleData: TemplateData = {
  login_code: { code: "123456", minutes: 10 },
  registration_code: { code: "123456", minutes: 10 },
  verification_code: { code: "123456", minutes: 10 },
  recovery_code: { code: "123456", minutes: 10 },
  login_link: { url: "https://id.example.com/login?link=sample", minutes: 10 },
  registration_link: { url: "https://id.example.com/registration?link=sample", minutes: 10 },
  verification_link: { url: "https://id.example.com/verification?link=sample", minutes: 60 },
  recovery_link: { url: "https://id.example.com/recovery?link=sample", minutes: 60 },
  invitation: {
    url: "https://id.example.com/registration?invitation=sample",
    until: new Date("2026-12-24T12:00:00Z"),
  },
  registration_taken: {},
  password_changed: samplePlace,
  wrong_codes: { count: 50, ...samplePlace },
  credential_added: { kind: "totp", label: "", ...samplePlace },
  credential_removed: { kind: "totp", label: "Phone", ...samplePlace },
  second_factor_changed: { kind: "passkey", enabled: true, ...samplePlace },
  login_new_device: samplePlace,
  second_factor_failed: samplePlace,
  backup_code_used: { remaining: 11, ...samplePlace },
  recovery_completed: samplePlace,
  recovery_held: {
    until: samplePlace.time,
    address_masked: "a***@example.com",
    device: samplePlace.device,
    url: "https://id.example.com/recovery?link=sample",
  },
  recovery_stopped: samplePlace,
  address_changed: { new_address_masked: "a***@example.com", ...samplePlace },
  address_added: { new_address_masked: "a***@example.com", ...samplePlace },
  address_removed: { removed_address_masked: "a***@example.com", ...samplePlace },
  account_deletion_scheduled: {
    date: new Date("2026-12-24T12:00:00Z"),
    url: "https://id.example.com/settings",
    ...samplePlace,
  },
  account_deleted: samplePlace,
  account_kept: samplePlace,
};

/** The names of all templates. */
export const messageTemplates = Object.keys(sampleData) as readonly MessageTemplate[];

/** A template with the data to try it with. */
export function sampleContent(template: MessageTemplate): MessageContent {
  // Each key's data is of that key's type; TypeScript cannot see it through the index.
  return { template, data: sampleData[template] } as MessageContent;
}

/** Address and channel of a message. */
interface Addressing {
  readonly channel: MessageChannel;
  /** A normalised email address, or a telephone number as E.164. */
  readonly recipient: string;
  /** A language tag (`de`, `de-AT`); the nearest language that there are templates for is used. Empty: the default. */
  readonly language: string;
  /** Identity that the message is for, if there is one. */
  readonly identityId?: IdentityId | undefined;
  /**
   * Stored, but never sent or shown. Written in place of a message to an address without an account, so that known and
   * unknown ones cost the same work. Default false.
   */
  readonly suppressed?: boolean | undefined;
  readonly clientData?: JsonObject | undefined;
  /** Of a message that is written once, however often it is made. Default: one of its own. */
  readonly id?: MessageId | undefined;
}

/** A message on its way out. It holds codes and links: seal it before it is stored. */
export type OutgoingMessage = MessageContent & {
  readonly id: MessageId;
  readonly createdAt: Date;
  readonly channel: MessageChannel;
  readonly recipient: string;
  readonly language: string;
  readonly identityId: IdentityId | undefined;
  readonly suppressed: boolean;
};

/** Makes a message of this moment. */
export function newMessage(content: MessageContent, now: Date, to: Addressing): OutgoingMessage {
  return {
    ...content,
    ...(to.clientData && { clientData: to.clientData }),
    id: to.id ?? newId(now),
    createdAt: now,
    channel: to.channel,
    recipient: to.recipient,
    language: to.language,
    identityId: to.identityId,
    suppressed: to.suppressed ?? false,
  };
}

/** End of the code or link of a message, after which it is not sent; never for a notice. */
export function expiryOf(message: OutgoingMessage): Instant | Never {
  if (message.template === "invitation") return instantOf(message.data.until);
  if (!("minutes" in message.data)) return never;
  return instantOf(new Date(message.createdAt.getTime() + message.data.minutes * 60_000));
}

/** Whether a message of this template carries a code or link, so that its reader can prove the address. */
export function isProof(template: MessageTemplate): boolean {
  const data = sampleData[template];
  return "code" in data || "url" in data;
}

/** Whether a message of this template is a code or link that somebody has asked for. Others are notices. */
export function isAskedFor(template: MessageTemplate): boolean {
  return /_(code|link)$/.test(template);
}

/**
 * Whether messages of this template go to any address that is typed, whether or not an account has it; and so to one that is to be
 * proven.
 */
export function isForAnyAddress(template: MessageTemplate): boolean {
  return /^(registration|verification)_/.test(template);
}
