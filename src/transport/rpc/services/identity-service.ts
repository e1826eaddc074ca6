import type { MessageInitShape, JsonObject as ProtoJsonObject } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type ActivateIdentityRequest,
  type BatchCreateIdentitiesRequest,
  BatchCreateIdentitiesResponseSchema,
  type BatchCreateIdentitiesResultSchema,
  type BatchSendRecoveryMessagesRequest,
  type BatchSendVerificationMessagesRequest,
  type BatchSetRequiredActionsRequest,
  type CancelIdentityDeletionRequest,
  type CancelRecoveriesRequest,
  type CheckPasswordRequest,
  type IdentityService as Contract,
  type CreateIdentityRequest,
  CreateIdentityResponseSchema,
  type CreateRecoveryLinkRequest,
  CreateRecoveryLinkResponseSchema,
  type DeactivateIdentityRequest,
  type DeleteCredentialRequest,
  type DeleteIdentityRequest,
  type ExplainLoginPolicyRequest,
  type GetIdentityRequest,
  type GetProviderTokensRequest,
  type ImportCredentialsRequest,
  type ListCredentialsRequest,
  type ListIdentitiesRequest,
  type ListLoginHistoryRequest,
  type LookUpIdentityRequest,
  type NewPassword as ProtoNewPassword,
  type SendRecoveryMessageRequest,
  SendRecoveryMessageResponseSchema,
  type SendVerificationMessageRequest,
  SendVerificationMessageResponseSchema,
  type SetPasswordRequest,
  type SetRequiredActionsRequest,
  type UnverifyAddressRequest,
  type UpdateIdentityRequest,
  type VerifyAddressRequest,
} from "../../../../gen/ostiary/identity/v1/identity_service_pb.js";
import type { Arrivals } from "../../../domain/courier/arrivals.ts";
import type { LoginHistory } from "../../../domain/event/login-history.ts";
import type { LoginExplanations } from "../../../domain/flow/login/explanation.ts";
import type { OperatorFlows, SentLink } from "../../../domain/flow/operator/operator-flows.ts";
import type { OperatorSends } from "../../../domain/flow/operator/operator-sends.ts";
import type { IdempotencyRunner } from "../../../domain/idempotency/idempotency.ts";
import type { AddressVerifications } from "../../../domain/identity/address-verifications.ts";
import { ownAddresses } from "../../../domain/identity/addresses.ts";
import type { Credentials } from "../../../domain/identity/credentials.ts";
import type { BatchItem, Identities } from "../../../domain/identity/identities.ts";
import type { Identity } from "../../../domain/identity/identity.ts";
import type { DocumentChange, NewIdentity } from "../../../domain/identity/identity-input.ts";
import type { NewPassword } from "../../../domain/identity/new-password.ts";
import type { ActionOrder, OperatorActions } from "../../../domain/identity/operator-actions.ts";
import type { CredentialId, IdentityId } from "../../../domain/ids.ts";
import type { KeptTokens } from "../../../domain/method/oidc/kept-tokens.ts";
import type { PasswordChecks } from "../../../domain/method/password/password-checks.ts";
import type { HashAsker } from "../../../domain/ports.ts";
import { Secret } from "../../../domain/secret.ts";
import { namesOf } from "../access.ts";
import { type Call, callOf } from "../call.ts";
import { toCallError } from "../convert/call-error.ts";
import { fromExpiration, fromStruct, fromTimestamp, refuseUnserved, toTimestamp } from "../convert/common.ts";
import { fromDemands } from "../convert/demand.ts";
import {
  fromIdentityState,
  fromIdentityView,
  type IdentityView,
  toCredential,
  toIdentity,
} from "../convert/identity.ts";
import { fromImported } from "../convert/imported-credential.ts";
import { fromLoginPolicyClient, toExplanation } from "../convert/login-explanation.ts";
import { toLoginRecord } from "../convert/login-record.ts";
import { fromNewAction } from "../convert/required-action.ts";
import { fromValue } from "../convert/value.ts";
import { runOnce } from "./idempotent.ts";
import { sendToEach } from "./operator-sends.ts";

interface Deps {
  readonly identities: Identities;
  readonly arrivals: Pick<Arrivals, "of">;
  readonly credentials: Credentials;
  readonly addressVerifications: AddressVerifications;
  readonly operatorFlows: OperatorFlows;
  readonly operatorSends: OperatorSends;
  readonly operatorActions: OperatorActions;
  readonly logins: LoginHistory;
  readonly passwordChecks: PasswordChecks;
  readonly explanations: LoginExplanations;
  readonly keptTokens: KeptTokens;
  readonly idempotency: IdempotencyRunner;
}

/** ostiary.identity.v1.IdentityService. */
export class IdentityService implements ServiceImpl<typeof Contract> {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async createIdentity(request: CreateIdentityRequest, context: HandlerContext) {
    const call = callOf(context);
    const prepared = await this.#deps.identities.prepare(call.tenant, toNewIdentity(request), askerOf(call));
    const once = {
      method: "CreateIdentity",
      request,
      response: CreateIdentityResponseSchema,
    };
    return runOnce(this.#deps.idempotency, call, once, async (scope) => ({
      identity: toIdentity(await this.#deps.identities.create(scope, call.origin, prepared), call),
    }));
  }

  async batchCreateIdentities(request: BatchCreateIdentitiesRequest, context: HandlerContext) {
    const call = callOf(context);
    const prepared = await this.#deps.identities.prepareBatch(
      call.tenant,
      request.requests.map(toNewIdentity),
      askerOf(call),
    );
    const once = {
      method: "BatchCreateIdentities",
      request,
      response: BatchCreateIdentitiesResponseSchema,
    };
    const view = fromIdentityView(request.view, "id");
    return runOnce(this.#deps.idempotency, call, once, async (scope) => {
      const items = await this.#deps.identities.createBatch(scope, call.origin, prepared);
      return { results: items.map((item) => toBatchResult(item, view, call)) };
    });
  }

  async getIdentity(request: GetIdentityRequest, context: HandlerContext) {
    refuseUnserved(request, "atLeast");
    const call = callOf(context);
    return this.#withMarks(call, await this.#deps.identities.get(call.tenant, idOf(request)));
  }

  async lookUpIdentity(request: LookUpIdentityRequest, context: HandlerContext) {
    refuseUnserved(request, "atLeast");
    const call = callOf(context);
    const { by } = request;
    const key = by.case === "externalId" ? { externalId: by.value } : { identifier: by.value ?? "" };
    return this.#withMarks(call, await this.#deps.identities.lookUp(call.tenant, key));
  }

  async #withMarks(call: Call, identity: Identity) {
    const values = ownAddresses(identity).map(({ value }) => value);
    return {
      identity: toIdentity(identity, call, "full", await this.#deps.arrivals.of(call.tenant, values)),
    };
  }

  async listIdentities(request: ListIdentitiesRequest, context: HandlerContext) {
    refuseUnserved(request, "atLeast");
    const call = callOf(context);
    const view = fromIdentityView(request.view, "basic");
    const { items, nextToken } = await this.#deps.identities.list(
      call.tenant,
      {
        identifierPrefix: request.identifierPrefix,
        state: fromIdentityState(request.state),
        schemaId: request.schemaId,
        traits: request.traits.flatMap(({ path, value }) =>
          value === undefined ? [] : [{ path, value: fromValue(value) }],
        ),
      },
      { size: request.pageSize, token: request.pageToken },
      { documents: view === "full" },
    );
    return {
      identities: items.map((identity) => toIdentity(identity, call, view)),
      nextPageToken: nextToken,
    };
  }

  async updateIdentity(request: UpdateIdentityRequest, context: HandlerContext) {
    const call = callOf(context);
    const identity = await this.#deps.identities.update(call.tenant, call.origin, {
      id: idOf(request),
      etag: request.etag,
      schemaId: request.schemaId,
      traits: fromChange(request.traitsChange),
      externalId: request.externalId,
      publicMetadata: fromChange(request.publicMetadataChange),
      adminMetadata: fromChange(request.adminMetadataChange),
      keepSessions: request.keepSessions,
      allowUnverifiedAddressAsUserName: request.allowUnverifiedAddressAsUserName,
    });
    return { identity: toIdentity(identity, call) };
  }

  async activateIdentity(request: ActivateIdentityRequest, context: HandlerContext) {
    const call = callOf(context);
    const identity = await this.#deps.identities.activate(call.tenant, call.origin, idOf(request));
    return { identity: toIdentity(identity, call) };
  }

  async deactivateIdentity(request: DeactivateIdentityRequest, context: HandlerContext) {
    const call = callOf(context);
    const identity = await this.#deps.identities.deactivate(call.tenant, call.origin, idOf(request));
    return { identity: toIdentity(identity, call) };
  }

  async cancelIdentityDeletion(request: CancelIdentityDeletionRequest, context: HandlerContext) {
    const call = callOf(context);
    const identity = await this.#deps.identities.cancelDeletion(call.tenant, call.origin, idOf(request));
    return { identity: toIdentity(identity, call) };
  }

  async verifyAddress(request: VerifyAddressRequest, context: HandlerContext) {
    const call = callOf(context);
    const wanted = { id: idOf(request), address: request.address };
    const identity = await this.#deps.addressVerifications.verify(call.tenant, call.origin, wanted);
    return { identity: toIdentity(identity, call) };
  }

  async unverifyAddress(request: UnverifyAddressRequest, context: HandlerContext) {
    const call = callOf(context);
    const { address, keepSessions } = request;
    const wanted = { id: idOf(request), address, keepSessions };
    const identity = await this.#deps.addressVerifications.unverify(call.tenant, call.origin, wanted);
    return { identity: toIdentity(identity, call) };
  }

  async setRequiredActions(request: SetRequiredActionsRequest, context: HandlerContext) {
    const call = callOf(context);
    const order = { ...toOrder(request), id: idOf(request) };
    const identity = await this.#deps.operatorActions.set(call.tenant, call.origin, order);
    return { identity: toIdentity(identity, call) };
  }

  async batchSetRequiredActions(request: BatchSetRequiredActionsRequest, context: HandlerContext) {
    const call = callOf(context);
    const order = { ...toOrder(request), ids: request.identityIds as IdentityId[] };
    const results = await this.#deps.operatorActions.setEach(call.tenant, call.origin, order, context.signal);
    return {
      results: results.map((result) => ({
        identityId: result.identityId,
        ...(result.kind === "failed" && { error: toCallError(result.error, call.id) }),
      })),
    };
  }

  async deleteIdentity(request: DeleteIdentityRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    await this.#deps.identities.delete(tenant, origin, idOf(request));
    return {};
  }

  async listCredentials(request: ListCredentialsRequest, context: HandlerContext) {
    refuseUnserved(request, "atLeast");
    const { tenant } = callOf(context);
    const page = { size: request.pageSize, token: request.pageToken };
    const { items, nextToken } = await this.#deps.credentials.list(tenant, idOf(request), page);
    return { credentials: items.map(toCredential), nextPageToken: nextToken };
  }

  async deleteCredential(request: DeleteCredentialRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    const credentialId = request.credentialId.toLowerCase() as CredentialId;
    await this.#deps.credentials.delete(tenant, origin, { id: idOf(request), credentialId });
    return {};
  }

  async getProviderTokens(request: GetProviderTokensRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    const credentialId = request.credentialId.toLowerCase() as CredentialId;
    const ids = { id: idOf(request), credentialId };
    const { accessToken, expiresAt, scope } = await this.#deps.keptTokens.get(tenant, origin, ids);
    const scopes = scope?.split(/[ ,]+/).filter((each) => each !== "") ?? [];
    return { accessToken, expireTime: toTimestamp(expiresAt), scopes };
  }

  async setPassword(request: SetPasswordRequest, context: HandlerContext) {
    const call = callOf(context);
    const { tenant, origin } = call;
    const change = {
      id: idOf(request),
      password: toNewPassword(request.password),
      keepSessions: request.keepSessions,
    };
    const credential = await this.#deps.credentials.setPassword(tenant, origin, change, askerOf(call));
    return { credential: toCredential(credential) };
  }

  async importCredentials(request: ImportCredentialsRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    const { keepSessions } = request;
    const change = { id: idOf(request), imported: fromImported(request, ""), keepSessions };
    const credentials = await this.#deps.credentials.import(tenant, origin, change);
    return { credentials: credentials.map(toCredential) };
  }

  async explainLoginPolicy(request: ExplainLoginPolicyRequest, context: HandlerContext) {
    const { tenant } = callOf(context);
    const login = {
      id: idOf(request),
      client: fromLoginPolicyClient(request.client),
      demands: fromDemands(request.demands),
    };
    return toExplanation(await this.#deps.explanations.explain(tenant, login));
  }

  async checkPassword(request: CheckPasswordRequest, context: HandlerContext) {
    const call = callOf(context);
    const { tenant, origin } = call;
    const check = { id: idOf(request), password: new Secret(request.password) };
    return { matches: await this.#deps.passwordChecks.check(tenant, origin, check, askerOf(call)) };
  }

  async createRecoveryLink(request: CreateRecoveryLinkRequest, context: HandlerContext) {
    const call = callOf(context);
    const { tenant, origin } = call;
    const once = { method: "CreateRecoveryLink", request, response: CreateRecoveryLinkResponseSchema };
    return runOnce(this.#deps.idempotency, call, once, async (scope) => {
      const wanted = { identityId: idOf(request), expiration: fromExpiration(request.expiration) };
      const link = await this.#deps.operatorFlows.createRecoveryLink({ tenant, scope, origin }, wanted);
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
    return runOnce(this.#deps.idempotency, call, once, async (scope) => {
      const to = { identityId: idOf(request), address: request.address };
      return toSent(await this.#deps.operatorFlows.sendRecovery({ tenant, scope, origin }, to));
    });
  }

  async cancelRecoveries(request: CancelRecoveriesRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    const call = { tenant, scope: tenant, origin };
    return { stopped: await this.#deps.operatorFlows.cancelRecoveries(call, idOf(request)) };
  }

  async sendVerificationMessage(request: SendVerificationMessageRequest, context: HandlerContext) {
    const call = callOf(context);
    const { tenant, origin } = call;
    const response = SendVerificationMessageResponseSchema;
    const once = { method: "SendVerificationMessage", request, response };
    return runOnce(this.#deps.idempotency, call, once, async (scope) => {
      const to = { identityId: idOf(request), address: request.address };
      return toSent(await this.#deps.operatorFlows.sendVerification({ tenant, scope, origin }, to));
    });
  }

  batchSendRecoveryMessages(request: BatchSendRecoveryMessagesRequest, context: HandlerContext) {
    return sendToEach(this.#deps, "recovery", request, context);
  }

  batchSendVerificationMessages(request: BatchSendVerificationMessagesRequest, context: HandlerContext) {
    return sendToEach(this.#deps, "verification", request, context);
  }

  async listLoginHistory(request: ListLoginHistoryRequest, context: HandlerContext) {
    const { tenant } = callOf(context);
    const { id } = await this.#deps.identities.get(tenant, idOf(request));
    const page = { size: request.pageSize, token: request.pageToken };
    const { items, nextToken } = await this.#deps.logins.list(tenant, id, page, 500);
    return { records: items.map(toLoginRecord), nextPageToken: nextToken };
  }
}

function toSent({ address, expiresAt }: SentLink) {
  return { address, expireTime: toTimestamp(expiresAt) };
}

function idOf({ identityId }: { readonly identityId: string }): IdentityId {
  return identityId as IdentityId;
}

/** For whom a password is hashed that an operator sends. */
function askerOf(call: Call): HashAsker {
  const { tenantId } = call.tenant;
  const source = namesOf(call.caller).key;
  return { lane: "operator", tenantId, source, account: undefined, signal: call.signal };
}

function toNewIdentity(request: CreateIdentityRequest): NewIdentity {
  const password = request.credentials?.password;
  return {
    schemaId: request.schemaId,
    traits: fromStruct(request.traits) ?? {},
    password: password === undefined ? undefined : toNewPassword(password),
    imported: request.credentials === undefined ? [] : fromImported(request.credentials, "credentials."),
    externalId: request.externalId,
    publicMetadata: fromStruct(request.publicMetadata) ?? {},
    adminMetadata: fromStruct(request.adminMetadata) ?? {},
    verifiedAddresses: request.verifiedAddresses.map(({ value, verifyTime }) => ({
      value,
      verifiedAt: fromTimestamp(verifyTime),
    })),
    allowUnverifiedAddressAsUserName: request.allowUnverifiedAddressAsUserName,
    state: fromIdentityState(request.state) ?? "active",
    createdAt: fromTimestamp(request.createTime),
    requiredActions: request.requiredActions.map(fromNewAction),
  };
}

function toOrder({
  requiredActions,
  endSessions,
}: SetRequiredActionsRequest | BatchSetRequiredActionsRequest): ActionOrder {
  return { actions: requiredActions.map(fromNewAction), endSessions };
}

/** A change of traits or metadata: a patch if the name of the case ends in `Patch`, else the whole. */
function fromChange(
  change: { readonly case: string; readonly value: ProtoJsonObject } | { readonly case: undefined },
): DocumentChange | undefined {
  if (change.case === undefined) return undefined;
  const document = fromStruct(change.value);
  return change.case.endsWith("Patch") ? { kind: "patch", patch: document } : { kind: "whole", document };
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

function toBatchResult(
  item: BatchItem,
  view: IdentityView,
  call: Call,
): MessageInitShape<typeof BatchCreateIdentitiesResultSchema> {
  return item.kind === "created"
    ? { result: { case: "identity", value: toIdentity(item.identity, call, view) } }
    : { result: { case: "error", value: toCallError(item.error, call.id) } };
}
