import type { ErrorReason } from "../domain/errors.ts";
import type { LoginEvent } from "../domain/event/login-history.ts";
import type { AnyState, OAuth2Origin } from "../domain/flow/shared/flow.ts";
import type { Typed } from "../domain/flow/shared/kept-outcome.ts";
import type { FormProblems } from "../domain/form/form.ts";
import type { Credential, Identity } from "../domain/identity/identity.ts";
import type { FlowKind } from "../domain/kinds.ts";
import type { Session } from "../domain/session/session.ts";
import type { TenantSettings } from "../domain/tenant/tenant.ts";
import type { SampleSchema } from "./sample-schemas.ts";

/** A state of a page, with sample data. */
export interface PreviewState {
  /** Part of its address, `/preview/<name>`: lower-case words with hyphens, after the group and a slash. */
  readonly name: string;
  /** Path of its page, below /ui/, and what follows it in the address. */
  readonly page: string;
  /** For developers, in the list of states. */
  readonly title: string;
  readonly shows: ShownState;
}

/** What a page gets in a state. */
export type ShownState =
  /** A flow. Made anew at each call, so that its times are those of now. */
  | { readonly kind: "flow"; flow(): Promise<SampleFlow> }
  /** The calls of the page are refused. */
  | { readonly kind: "refused"; readonly reason: ErrorReason }
  /** The visitor is signed in. */
  | { readonly kind: "sessions"; sessions(): SampleSessions }
  /** Nobody is signed in. */
  | { readonly kind: "signed_out" };

/** The sessions of a visitor, and who signed in to the account. */
export interface SampleSessions {
  readonly identity: Identity;
  /** The current one first. */
  readonly sessions: readonly Session[];
  readonly hasMore: boolean;
  /** Newest first. */
  readonly logins: readonly LoginEvent[];
  readonly otherIdentityShown: boolean;
}

/** A flow as it would be stored, with its owner. */
export interface SampleFlow {
  readonly kind: FlowKind;
  readonly state: AnyState;
  readonly purpose: object;
  /** Changes the settings of the tenant. Default: everything is switched on. */
  readonly settings?: ((settings: TenantSettings) => TenantSettings) | undefined;
  /** `own`: those of the configuration. Default: `person`. */
  readonly schema?: SampleSchema | "own" | undefined;
  readonly identity?: Identity | undefined;
  readonly credentials?: readonly Credential[] | undefined;
  /** Of the owner of the flow. Default: one that has just begun. */
  readonly session?: Session | undefined;
  /** What a submit that was not accepted has left: its messages, and what was typed. */
  readonly rejected?: { readonly problems: FormProblems; readonly typed?: Typed } | undefined;
  /** The message of a step that worked. */
  readonly succeeded?: FormProblems["form"] | undefined;
  /** The login request of an OAuth2 server. */
  readonly oauth2?: OAuth2Origin | undefined;
  /** Where the browser goes on, as clients are told that do not know the outcome `redirect`. */
  readonly goesOnAt?: string | undefined;
  /** The provider that the browser signed in with last. */
  readonly lastProvider?: string | undefined;
}
