import type { ErrorReason } from "../errors.ts";
import type { CallOrigin } from "../event/event.ts";
import type { Identity } from "../identity/identity.ts";
import type { IdentityId } from "../ids.ts";
import type { JsonObject } from "../json.ts";
import type { MethodKind } from "../method/method.ts";
import type { Secret } from "../secret.ts";
import type { Session } from "../session/session.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { Form } from "./form.ts";

/** What a flow is for. */
export type FlowKind = "login" | "registration";

/** The kind of client that a flow is for. */
export type FlowClient = "browser" | "native";

/** Whether a flow can still be submitted. */
export type FlowState = "active" | "completed";

/** A flow as it is stored; its id is a token, of which only the digest is. */
export interface FlowRecord {
  /** SHA-256 of the flow's id. */
  readonly digest: Uint8Array;
  readonly kind: FlowKind;
  readonly client: FlowClient;
  readonly state: FlowState;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly returnTo: string | undefined;
  /** SHA-256 of the value of the cookie that a browser flow is bound to. */
  readonly browserDigest: Uint8Array | undefined;
  /** Whose flow it is, where that is known. */
  readonly identityId: IdentityId | undefined;
  /** What the flow's kind and methods remember. */
  readonly data: JsonObject;
}

/** A flow as its holder sees it. */
export interface Flow {
  /** The flow's id, a secret. */
  readonly id: Secret;
  readonly kind: FlowKind;
  readonly client: FlowClient;
  readonly state: FlowState;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly returnTo: string | undefined;
  /** The methods on offer; empty once the flow is completed. */
  readonly methods: readonly MethodKind[];
  readonly form: Form;
  /** Of browser flows: what a submit must carry beside the cookie. */
  readonly csrfToken: Secret | undefined;
}

/** What came of a submit. */
export type FlowOutcome<Completed> =
  | { readonly kind: "completed"; readonly completed: Completed }
  | { readonly kind: "rejected"; readonly reason: ErrorReason; readonly flow: Flow }
  | { readonly kind: "expired"; readonly replacement: CreatedFlow };

/** A flow just made, and the browser token to set as a cookie if the browser has none. */
export interface CreatedFlow {
  readonly flow: Flow;
  readonly newBrowserToken: Secret | undefined;
}

/** What a completed login or registration gives. */
export interface FlowCompleted {
  readonly session: Session;
  /** The session's token; for a browser flow the value of its cookie. */
  readonly token: Secret;
  readonly client: FlowClient;
  readonly identity: Identity;
  readonly returnTo: string | undefined;
  /** What the client keeps to be known by: a native client's device token, or the value of a browser's cookie. */
  readonly device: Secret | undefined;
}

/** The call that a flow is used in. */
export interface FlowCaller {
  readonly tenant: Tenant;
  readonly origin: CallOrigin;
  /** The address that limits count the call for; undefined where they stand aside. */
  readonly limitedAddress: string | undefined;
  /** The value of the browser cookie, if one was sent. */
  readonly browserToken: string | undefined;
  /** The value of the device cookie, if one was sent. */
  readonly deviceCookie: string | undefined;
  /** Throws ORIGIN_NOT_ALLOWED if the call comes from a page that may not use cookies here. */
  assertOriginAllowed(): void;
}
