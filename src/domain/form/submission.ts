import type { JsonObject } from "../json.ts";

/** A step that was submitted, with its fields, as they came off the wire. */
export interface SubmittedStep {
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What every submit holds. */
export interface FlowSubmission {
  readonly flowId: string;
  readonly csrfToken: string;
  /** The submit's request id and body, if it has an id. */
  readonly request?: SubmittedRequest | undefined;
  /** Replaces the client data of the flow. */
  readonly clientData?: JsonObject | undefined;
}

/** What tells one submit with a request id from another. Both are digests, because a request may hold a password. */
export interface SubmittedRequest {
  readonly requestId: string;
  /** The digest of the request id. */
  readonly id: string;
  /** The digest of the whole request. */
  readonly body: string;
}
