import { channelOf, type MessageContent, newMessage } from "../courier/message.ts";
import type { Outbox, SealedMessage } from "../courier/outbox.ts";
import { domainError, invalid } from "../errors.ts";
import { type CallOrigin, newEvent } from "../event/event.ts";
import { type Expiration, endOfExpiration } from "../expiration.ts";
import { normaliseForLogin, normaliseIdentifier } from "../identifier/normalise.ts";
import { assertMetadata } from "../identity/identity-input.ts";
import type { IdentitySchemas } from "../identity/schemas.ts";
import { type InvitationId, newId } from "../ids.ts";
import { never } from "../instant.ts";
import type { JsonObject } from "../json.ts";
import { type PageAnswer, type PageAsk, type PageTokens, readPage } from "../paging/page-tokens.ts";
import type { Clock, TenantScope, Tokens } from "../ports.ts";
import { Secret } from "../secret.ts";
import type { Tenant } from "../tenant/tenant.ts";
import {
  type Invitation,
  type InvitationState,
  type InvitedAccount,
  type NewInvitation,
  stateOf,
} from "./invitation.ts";
import { invitedTraits } from "./invited-traits.ts";
import type { InvitationStore } from "./store.ts";

/** The longest lifetime that the contract allows. */
const maxLifetimeMs = 30 * 24 * 60 * 60 * 1000;

/** An invitation to make. */
export interface InvitationInput {
  /** As a person would type it. Empty: the invitation is handed over. */
  readonly address: string;
  /** Empty: the tenant's default. */
  readonly schemaId: string;
  readonly traits: JsonObject;
  readonly publicMetadata: JsonObject;
  readonly adminMetadata: JsonObject;
  /** Undefined: the invitation ends after the configured lifetime. */
  readonly expiration: Expiration | undefined;
  /** Of the message. Empty: the courier's default. */
  readonly language: string;
}

/** An invitation just made. */
export interface CreatedInvitation {
  readonly invitation: Invitation;
  /** Undefined if it was sent: then only its recipient has the token. */
  readonly handedOver: { readonly token: Secret; readonly url: Secret | undefined } | undefined;
}

interface Deps {
  readonly store: InvitationStore;
  readonly schemas: IdentitySchemas;
  readonly tokens: Tokens;
  readonly pageTokens: PageTokens;
  readonly outbox: Outbox;
  readonly clock: Clock;
}

/** The rules of invitations, as operators manage them. What a registration makes of one is in flow/registration/invited.ts. */
export class Invitations {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /**
   * Makes an invitation, and sends it if there is an address. Joins the transaction if the scope is one. Throws
   * REQUEST_INVALID, SCHEMA_NOT_FOUND, TRAITS_INVALID, UI_URL_MISSING.
   */
  async create(
    tenant: Tenant,
    scope: TenantScope,
    origin: CallOrigin,
    input: InvitationInput,
  ): Promise<CreatedInvitation> {
    const { publicMetadata, adminMetadata } = input;
    const address = toAddress(input.address);
    const schemaId = input.schemaId === "" ? tenant.settings.defaultSchemaId : input.schemaId;
    const traits = invitedTraits(this.#deps.schemas.current(scope, schemaId), input.traits, address);
    assertMetadata({ publicMetadata, adminMetadata });

    const at = this.#deps.clock.now();
    const expiration = input.expiration ?? {
      kind: "lifetime",
      milliseconds: tenant.settings.registration.invitationLifetimeMs,
    };
    const latest = new Date(at.getTime() + maxLifetimeMs);
    const description = "must lie in the future, at most 30 days from now";
    const expiresAt = endOfExpiration(expiration, at, { latest, description });
    const { token, digest } = this.#deps.tokens.issue("invitation", tenant.name);
    const invitation: Invitation = {
      id: newId<InvitationId>(at),
      createdAt: at,
      expiresAt,
      address,
      schemaId,
      traits,
      publicMetadata,
      adminMetadata,
      usedAt: never,
      identityId: undefined,
      revokedAt: never,
    };
    const url = urlOf(tenant, token);
    const messages = address === undefined ? [] : [this.#message(invitation, address, url, input.language)];
    const delivery = address === undefined ? "handed_over" : "sent";
    const event = newEvent("invitation.created", at, origin, {
      data: { invitationId: invitation.id, delivery },
    });
    const stored: NewInvitation = { ...invitation, tokenDigest: digest };
    await this.#deps.store.create(scope, stored, event, messages);
    // Security rule (SR-INVITE-3): the token of an invitation that is sent leaves by that message alone. It verifies the address, so not
    // even the operator who had it sent may know it.
    return { invitation, handedOver: address === undefined ? { token, url } : undefined };
  }

  /**
   * The invitation of a token, while it can be used. Throws INVITATION_INVALID, the same for every reason. The invitation is
   * not used here: the registration does that when it completes.
   */
  async open(tenant: Tenant, text: string): Promise<Invitation> {
    const parsed = this.#deps.tokens.parse("invitation", text);
    const gone = domainError("INVITATION_INVALID", {});
    if (parsed.kind !== "valid" || parsed.tenantName !== tenant.name) throw gone;
    const invitation = await this.#deps.store.findByTokenDigest(tenant, parsed.digest);
    if (invitation === undefined || stateOf(invitation, this.#deps.clock.now()) !== "pending") throw gone;
    return invitation;
  }

  /** The invitation with this id. Throws INVITATION_NOT_FOUND. */
  async get(tenant: Tenant, id: InvitationId): Promise<Invitation> {
    const invitation = await this.#deps.store.find(tenant, id);
    if (invitation === undefined) throw domainError("INVITATION_NOT_FOUND", {});
    return invitation;
  }

  /** Invitations, newest first; 50 a page, at most 500. Throws PAGE_TOKEN_INVALID. */
  async list(
    tenant: Tenant,
    { state, address: typed }: { readonly state: InvitationState | undefined; readonly address: string },
    page: PageAsk,
  ): Promise<PageAnswer<Invitation>> {
    const address = typed.trim() === "" ? undefined : normaliseForLogin(typed);
    // What cannot be an address has no invitations.
    if (address === undefined && typed.trim() !== "") return { items: [], nextToken: "" };
    const filters = { state: state ?? null, address: address ?? null };
    const list = { tenantId: tenant.tenantId, name: "invitations", filters };
    const filter = { state, address, now: this.#deps.clock.now() };
    return readPage(this.#deps.pageTokens, list, page, 500, (request) =>
      this.#deps.store.list(tenant, filter, request),
    );
  }

  /**
   * Ends an invitation at once; one that was revoked or has expired stays as it is. Throws INVITATION_NOT_FOUND, and
   * INVITATION_NOT_PENDING if it was used, also if that happened at the same moment.
   */
  async revoke(tenant: Tenant, origin: CallOrigin, id: InvitationId): Promise<Invitation> {
    const at = this.#deps.clock.now();
    const event = newEvent("invitation.revoked", at, origin, { data: { invitationId: id } });
    const revoked = await this.#deps.store.revoke(tenant, id, at, event);
    if (revoked !== undefined) return revoked;
    // Read after the statement that changed nothing, so that it shows what that one had to wait for.
    const invitation = await this.get(tenant, id);
    const state = stateOf(invitation, at);
    if (state === "used") throw domainError("INVITATION_NOT_PENDING", { state });
    return invitation;
  }

  #message(
    { createdAt, expiresAt }: Invitation,
    address: NonNullable<InvitedAccount["address"]>,
    url: Secret | undefined,
    language: string,
  ): SealedMessage {
    if (url === undefined) throw domainError("UI_URL_MISSING", { flow: "registration" });
    const content: MessageContent = {
      template: "invitation",
      data: { url: url.reveal(), until: expiresAt },
    };
    const to = { channel: channelOf(address.kind), recipient: address.value, language };
    return this.#deps.outbox.seal(newMessage(content, createdAt, to));
  }
}

/**
 * Security rule (SR-CODE-9): the page comes from the configuration; no header of a request has a part in it. The token is in the
 * fragment, which browsers send to no server.
 */
function urlOf(tenant: Tenant, token: Secret): Secret | undefined {
  const page = tenant.settings.uiUrls.registration;
  if (page === undefined) return undefined;
  const url = new URL(page);
  url.hash = new URLSearchParams({ invitation: token.reveal() }).toString();
  return new Secret(url.href);
}

/** Normal form of a typed address; undefined if it is empty. Throws REQUEST_INVALID for another text. */
function toAddress(typed: string): InvitedAccount["address"] {
  if (typed.trim() === "") return undefined;
  const normalised = normaliseIdentifier(typed);
  if (normalised.kind === "email" || normalised.kind === "phone") {
    return { kind: normalised.kind, value: normalised.value };
  }
  const description = "must be an email address, or a telephone number with its country code";
  throw invalid({ field: "address", description, reason: "FORMAT" });
}
