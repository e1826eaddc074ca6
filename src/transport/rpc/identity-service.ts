import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { ConnectError, HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { RemedySchema } from "../../../gen/ostiary/error/v1/error_detail_pb.js";
import { CredentialKind as ProtoCredentialKind } from "../../../gen/ostiary/identity/v1/identity_pb.js";
import {
  type ActivateIdentityRequest,
  type BatchCreateIdentitiesErrorSchema,
  type BatchCreateIdentitiesRequest,
  BatchCreateIdentitiesResponseSchema,
  type BatchCreateIdentitiesResultSchema,
  type CancelIdentityDeletionRequest,
  type CheckPasswordRequest,
  type IdentityService as Contract,
  type CreateIdentityRequest,
  CreateIdentityResponseSchema,
  type CreateRecoveryLinkRequest,
  CreateRecoveryLinkResponseSchema,
  type DeactivateIdentityRequest,
  type DeleteCredentialRequest,
  type DeleteIdentityRequest,
  type GetIdentityRequest,
  type ListCredentialsRequest,
  type ListIdentitiesRequest,
  type ListLoginHistoryRequest,
  type LookUpIdentityRequest,
  type NewPassword as ProtoNewPassword,
  type SendRecoveryMessageRequest,
  SendRecoveryMessageResponseSchema,
  type SendRecoveryMessagesRequest,
  type SendVerificationMessageRequest,
  SendVerificationMessageResponseSchema,
  type SendVerificationMessagesRequest,
  type SetPasswordRequest,
  type UpdateIdentityRequest,
} from "../../../gen/ostiary/identity/v1/identity_service_pb.js";
import type { DomainError } from "../../domain/errors.ts";
import type { LoginHistory } from "../../domain/event/login-history.ts";
import type { OperatorFlows, SentLink } from "../../domain/flow/operator-flows.ts";
import type { OperatorSends } from "../../domain/flow/operator-sends.ts";
import type { IdempotencyRunner } from "../../domain/idempotency/idempotency.ts";
import type { Credentials } from "../../domain/identity/credentials.ts";
import type { BatchItem, Identities } from "../../domain/identity/identities.ts";
import type { CredentialKind } from "../../domain/identity/identity.ts";
import type { NewIdentity } from "../../domain/identity/identity-input.ts";
import type { NewPassword } from "../../domain/identity/new-passwords.ts";
import type { PasswordChecks } from "../../domain/identity/password-checks.ts";
import type { IdentityId } from "../../domain/ids.ts";
import { Secret } from "../../domain/secret.ts";
import { callOf } from "./call.ts";
import { fromStruct, toTimestamp } from "./convert/common.ts";
import { fromIdentityState, toCredential, toIdentity } from "./convert/identity.ts";
import { toLoginRecord } from "./convert/login-record.ts";
import { fromValue } from "./convert/value.ts";
import { toConnectError } from "./errors.ts";
import { runOnce } from "./idempotent.ts";
import { type SendDependencies, sendToEach } from "./operator-sends.ts";

/** ostiary.identity.v1.IdentityService. */
export class IdentityService implements ServiceImpl<typeof Contract> {
  readonly #identities: Identities;
  readonly #credentials: Credentials;
  readonly #operatorFlows: OperatorFlows;
  readonly #sends: SendDependencies;
  readonly #logins: LoginHistory;
  readonly #passwordChecks: PasswordChecks;
  readonly #idempotency: IdempotencyRunner;

  constructor(dependencies: {
    identities: Identities;
    credentials: Credentials;
    operatorFlows: OperatorFlows;
    operatorSends: OperatorSends;
    logins: LoginHistory;
    passwordChecks: PasswordChecks;
    idempotency: IdempotencyRunner;
  }) {
    this.#identities = dependencies.identities;
    this.#credentials = dependencies.credentials;
    this.#operatorFlows = dependencies.operatorFlows;
    this.#sends = dependencies;
    this.#logins = dependencies.logins;
    this.#passwordChecks = dependencies.passwordChecks;
    this.#idempotency = dependencies.idempotency;
  }

  async createIdentity(request: CreateIdentityRequest, context: HandlerContext) {
    const call = callOf(context);
    const prepared = await this.#identities.prepare(call.tenant, toNewIdentity(request));
    const once = {
      method: "CreateIdentity",
      request,
      response: CreateIdentityResponseSchema,
    };
    return runOnce(this.#idempotency, call, once, async (scope) => ({
      identity: toIdentity(await this.#identities.create(scope, call.origin, prepared)),
    }));
  }

  async batchCreateIdentities(request: BatchCreateIdentitiesRequest, context: HandlerContext) {
    const call = callOf(context);
    const prepared = await this.#identities.prepareBatch(call.tenant, request.requests.map(toNewIdentity));
    const once = {
      method: "BatchCreateIdentities",
      request,
      response: BatchCreateIdentitiesResponseSchema,
    };
    return runOnce(this.#idempotency, call, once, async (scope) => {
      const items = await this.#identities.createBatch(scope, call.origin, prepared);
      return { results: items.map((item) => toBatchResult(item, call.requestId)) };
    });
  }

  async getIdentity(request: GetIdentityRequest, context: HandlerContext) {
    const { tenant } = callOf(context);
    return { identity: toIdentity(await this.#identities.get(tenant, idOf(request))) };
  }

  async lookUpIdentity({ by }: LookUpIdentityRequest, context: HandlerContext) {
    const { tenant } = callOf(context);
    const key = by.case === "externalId" ? { externalId: by.value } : { identifier: by.value ?? "" };
    return { identity: toIdentity(await this.#identities.lookUp(tenant, key)) };
  }

  async listIdentities(request: ListIdentitiesRequest, context: HandlerContext) {
    const { tenant } = callOf(context);
    const { trait } = request;
    const { items, nextToken } = await this.#identities.list(
      tenant,
      {
        identifierPrefix: request.identifierPrefix,
        state: fromIdentityState(request.state),
        schemaId: request.schemaId,
        trait: trait?.value === undefined ? undefined : { path: trait.path, value: fromValue(trait.value) },
      },
      { size: request.pageSize, token: request.pageToken },
    );
    return { identities: items.map(toIdentity), nextPageToken: nextToken };
  }

  async updateIdentity(request: UpdateIdentityRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    const identity = await this.#identities.update(tenant, origin, {
      id: idOf(request),
      etag: request.etag,
      schemaId: request.schemaId,
      traits: fromStruct(request.traits),
      externalId: request.externalId,
      publicMetadata: fromStruct(request.publicMetadata),
      adminMetadata: fromStruct(request.adminMetadata),
      keepSessions: request.keepSessions,
      allowUnverifiedAddressAsUserName: request.allowUnverifiedAddressAsUserName,
    });
    return { identity: toIdentity(identity) };
  }

  async activateIdentity(request: ActivateIdentityRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    return { identity: toIdentity(await this.#identities.activate(tenant, origin, idOf(request))) };
  }

  async deactivateIdentity(request: DeactivateIdentityRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    return { identity: toIdentity(await this.#identities.deactivate(tenant, origin, idOf(request))) };
  }

  async cancelIdentityDeletion(request: CancelIdentityDeletionRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    return { identity: toIdentity(await this.#identities.cancelDeletion(tenant, origin, idOf(request))) };
  }

  async deleteIdentity(request: DeleteIdentityRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    await this.#identities.delete(tenant, origin, idOf(request));
    return {};
  }

  async listCredentials(request: ListCredentialsRequest, context: HandlerContext) {
    const { tenant } = callOf(context);
    return { credentials: (await this.#credentials.list(tenant, idOf(request))).map(toCredential) };
  }

  async deleteCredential(request: DeleteCredentialRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    await this.#credentials.delete(tenant, origin, idOf(request), fromCredentialKind(request.kind));
    return {};
  }

  async setPassword(request: SetPasswordRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    const credential = await this.#credentials.setPassword(tenant, origin, {
      id: idOf(request),
      password: toNewPassword(request.password),
      keepSessions: request.keepSessions,
    });
    return { credential: toCredential(credential) };
  }

  async checkPassword(request: CheckPasswordRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    const check = { id: idOf(request), password: new Secret(request.password) };
    return { matches: await this.#passwordChecks.check(tenant, origin, check) };
  }

  async createRecoveryLink(request: CreateRecoveryLinkRequest, context: HandlerContext) {
    const call = callOf(context);
    const { tenant, origin } = call;
    const lifetimeMs = request.lifetime && durationMs(request.lifetime);
    const once = { method: "CreateRecoveryLink", request, response: CreateRecoveryLinkResponseSchema };
    return runOnce(this.#idempotency, call, once, async (scope) => {
      const wanted = { identityId: idOf(request), lifetimeMs };
      const link = await this.#operatorFlows.createRecoveryLink({ tenant, scope, origin }, wanted);
      return {
        recoveryUrl: link.url.reveal(),
        linkToken: link.token.reveal(),
        expireTime: toTimestamp(link.expiresAt),
      };
    });
  }

  async sendRecoveryMessage(request: SendRecoveryMessageRequest, context: HandlerContext) {
    const call = callOf(context);
    const { tenant, origin } = call;
    const once = { method: "SendRecoveryMessage", request, response: SendRecoveryMessageResponseSchema };
    return runOnce(this.#idempotency, call, once, async (scope) => {
      const to = { identityId: idOf(request), address: request.address };
      return toSent(await this.#operatorFlows.sendRecovery({ tenant, scope, origin }, to));
    });
  }

  async sendVerificationMessage(request: SendVerificationMessageRequest, context: HandlerContext) {
    const call = callOf(context);
    const { tenant, origin } = call;
    const response = SendVerificationMessageResponseSchema;
    const once = { method: "SendVerificationMessage", request, response };
    return runOnce(this.#idempotency, call, once, async (scope) => {
      const to = { identityId: idOf(request), address: request.address };
      return toSent(await this.#operatorFlows.sendVerification({ tenant, scope, origin }, to));
    });
  }

  sendRecoveryMessages(requests: AsyncIterable<SendRecoveryMessagesRequest>, context: HandlerContext) {
    return sendToEach(this.#sends, "recovery", requests, context);
  }

  sendVerificationMessages(
    requests: AsyncIterable<SendVerificationMessagesRequest>,
    context: HandlerContext,
  ) {
    return sendToEach(this.#sends, "verification", requests, context);
  }

  async listLoginHistory(request: ListLoginHistoryRequest, context: HandlerContext) {
    const { tenant } = callOf(context);
    const { id } = await this.#identities.get(tenant, idOf(request));
    const page = { size: request.pageSize, token: request.pageToken };
    const { items, nextToken } = await this.#logins.list(tenant, id, page, 500);
    return { records: items.map(toLoginRecord), nextPageToken: nextToken };
  }
}

function toSent({ address, expiresAt }: SentLink) {
  return { address, expireTime: toTimestamp(expiresAt) };
}

function idOf({ identityId }: { readonly identityId: string }): IdentityId {
  return identityId as IdentityId;
}

function toNewIdentity(request: CreateIdentityRequest): NewIdentity {
  const password = request.credentials?.password;
  return {
    schemaId: request.schemaId,
    traits: fromStruct(request.traits) ?? {},
    password: password === undefined ? undefined : toNewPassword(password),
    externalId: request.externalId,
    publicMetadata: fromStruct(request.publicMetadata) ?? {},
    adminMetadata: fromStruct(request.adminMetadata) ?? {},
    verifiedAddresses: request.verifiedAddresses,
    allowUnverifiedAddressAsUserName: request.allowUnverifiedAddressAsUserName,
  };
}

function toNewPassword(password: ProtoNewPassword | undefined): NewPassword {
  switch (password?.value.case) {
    case "password":
      return { kind: "plain", password: new Secret(password.value.value) };
    case "hash":
      return { kind: "hash", hash: new Secret(password.value.value) };
    default:
      throw new Error("validation lets no password without a value through");
  }
}

function fromCredentialKind(kind: ProtoCredentialKind): CredentialKind {
  switch (kind) {
    case ProtoCredentialKind.PASSWORD:
      return "password";
    case ProtoCredentialKind.UNSPECIFIED:
      throw new Error("validation lets no unspecified kind through");
    default: {
      const unreachable: never = kind;
      return unreachable;
    }
  }
}

function toBatchResult(
  item: BatchItem,
  requestId: string,
): MessageInitShape<typeof BatchCreateIdentitiesResultSchema> {
  if (item.kind === "created") return { result: { case: "identity", value: toIdentity(item.identity) } };
  return { result: { case: "error", value: toBatchError(item.error, requestId) } };
}

/** The same details as the error of a call of its own would carry. */
function toBatchError(
  error: DomainError,
  requestId: string,
): MessageInitShape<typeof BatchCreateIdentitiesErrorSchema> {
  const connectError: ConnectError = toConnectError(error, requestId);
  return {
    message: connectError.rawMessage,
    errorInfo: connectError.findDetails(ErrorInfoSchema)[0],
    badRequest: connectError.findDetails(BadRequestSchema)[0],
    remedy: connectError.findDetails(RemedySchema)[0],
  };
}
