import type { MessageContent } from "../../courier/message.ts";
import type { CompiledSchema } from "../../identity/compiled-schema.ts";
import type { Credential, Identity, NewCredential } from "../../identity/identity.ts";
import type { TraitsChange } from "../../identity/merge-patch.ts";
import type { CredentialId, SessionId } from "../../ids.ts";
import type { JsonObject } from "../../json.ts";
import type { FlowClient } from "../../kinds.ts";
import type { Session } from "../../session/session.ts";
import type { SavedChange } from "../../user-message/user-messages.ts";
import type { Awaiting } from "../challenge/state.ts";
import type { Away, ContinuedMethod } from "../shared/away.ts";
import type { FirstFactor, FlowCompleted, SessionWaits } from "../shared/flow.ts";

/** What a settings flow was begun for. */
export type SettingsPurpose =
  | { readonly kind: "settings" }
  /** A new secret after a recovery: how the holder was recovered, and what is wanted beside that before anything changes. */
  | {
      readonly kind: "recovery";
      readonly recovery: FirstFactor;
      /** The address that was proven, if it signs in: the new password is kept beside it. */
      readonly username?: string | undefined;
    }
  /** A passkey of an account that has none, offered by the login that gave this session. */
  | { readonly kind: "create_passkey"; readonly session: SessionId };

/** A change of settings that was checked, and waits. A secret is hashed or sealed by then. */
export type SettingsChange =
  | { readonly kind: "profile"; readonly change: TraitsChange }
  | {
      readonly kind: "credential";
      readonly credential: NewCredential;
      /** What the owner is told. */
      readonly notice: MessageContent;
      readonly keepOtherSessions: boolean;
    }
  /** A method that has more to ask. */
  | { readonly kind: "method"; readonly method: ContinuedMethod }
  | { readonly kind: "second_factor"; readonly credentialId: CredentialId; readonly enabled: boolean }
  | {
      readonly kind: "removal";
      readonly credentialId: CredentialId;
      readonly endOtherSessions: boolean;
    }
  | { readonly kind: "deletion" };

/** What a fresh login was asked for. */
interface Interrupted {
  readonly interrupted?: SettingsChange;
}

/** Where a settings flow stands. */
export type SettingsState =
  /** `unproved`: a change of the traits that was filled in and not proven; the form has it still. */
  | ({ readonly at: "change_settings"; readonly unproved?: TraitsChange } & Interrupted & Away)
  /** After a recovery. */
  | ({ readonly at: "set_new_secret" } & Interrupted & Away)
  /** A passkey is made, or the flow is left. */
  | { readonly at: "create_passkey"; readonly method: ContinuedMethod }
  /** A method that asks more than once: it alone goes on. */
  | ({
      readonly at: "continue_method" | "continue_new_secret";
      readonly method: ContinuedMethod;
    } & Interrupted)
  /** One credential is renamed or removed. */
  | ({ readonly at: "manage_credential"; readonly credentialId: CredentialId } & Interrupted)
  /** The traits change once the new address among them is proven. */
  | (Awaiting & { readonly at: "enter_code"; readonly change: TraitsChange } & Interrupted);

/** A session that a change gives. */
export type GivenSession = Pick<FlowCompleted, "session" | "token" | "client" | "device">;

/** The types of a settings flow. */
export interface SettingsTypes {
  readonly State: SettingsState;
  readonly Purpose: SettingsPurpose;
  readonly Context: {
    /** Undefined while the flow that follows a recovery is drafted. */
    readonly account:
      | {
          readonly identity: Identity;
          readonly schema: CompiledSchema;
          /** Oldest first. */
          readonly credentials: readonly Credential[];
          /** Those that the account had before the change that was just made. Undefined: none was made. */
          readonly former?: readonly Credential[] | undefined;
        }
      | undefined;
  };
  readonly Attempt: {
    readonly identity: Identity;
    /** Those of the account, oldest first. */
    readonly credentials: readonly Credential[];
    /**
     * The session that the holder shows. After a recovery none, unless a second factor is wanted: then the one that came of
     * it, once it was shown.
     */
    readonly session: Session | undefined;
    /** Whether the holder has shown lately, and strongly enough, who they are. */
    readonly isPrivileged: boolean;
    /** A merge patch of the traits. */
    readonly traits: JsonObject;
    /** The etag of the traits that the form was drawn from; empty if the client sent none. */
    readonly traitsEtag: string;
  };
  readonly Done:
    | {
        readonly kind: "completed";
        readonly completed: {
          readonly identity: Identity;
          /** After a recovery. */
          readonly session: GivenSession | undefined;
          readonly returnTo: string | undefined;
        };
      }
    | SessionWaits
    /** The change was made; the flow goes on with what holds now. */
    | {
        readonly kind: "changed";
        readonly identity: Identity;
        /** What is said of it. Undefined: that it was saved. */
        readonly said?: SavedChange | undefined;
        /** Undefined: they are as before. */
        readonly credentials?: readonly Credential[];
        /** A session in the place of the one that the change was made in. */
        readonly session?: GivenSession;
      }
    | {
        readonly kind: "deletion_scheduled";
        readonly purgeAt: Date;
        readonly client: FlowClient;
        readonly returnTo: string | undefined;
      };
}
