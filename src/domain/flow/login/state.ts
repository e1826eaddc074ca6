import type { ContactAddress } from "../../identity/addresses.ts";
import type { Identity } from "../../identity/identity.ts";
import { maskAddress } from "../../identity/mask-address.ts";
import type { TraitsChange } from "../../identity/merge-patch.ts";
import type { RequiredAction } from "../../identity/required-actions.ts";
import type { SessionId } from "../../ids.ts";
import type { JsonObject } from "../../json.ts";
import type { MethodKind } from "../../kinds.ts";
import type { LoginCandidate, VouchedAccount } from "../../method/method.ts";
import type { AssuranceLevel, AuthenticationMethod, MethodProperty } from "../../session/session.ts";
import type { AwaitedChange } from "../../user-message/stage-messages.ts";
import type { Awaiting, Confirming } from "../challenge/state.ts";
import type { Away, ContinuedMethod } from "../shared/away.ts";
import type { FirstFactor } from "../shared/flow.ts";
import type { SecondFactorReason } from "../shared/second-factors.ts";
import type { SignedIn } from "../shared/table.ts";

/** What a login was begun for. */
export type LoginPurpose =
  /** `stepsUpTo`: the level that is asked for, which an account without a second factor is let in below. */
  | { readonly kind: "sign_in"; readonly stepsUpTo?: AssuranceLevel }
  /** The holder of a session proves again who they are: the session that comes of it replaces that one. */
  | {
      readonly kind: "refresh";
      readonly session: SessionId;
      /** The least assurance level of the session that it gives. */
      readonly stepsUpTo?: AssuranceLevel;
      /** What a proof of that session must have. */
      readonly demanded?: readonly MethodProperty[];
      /** Whether all that the account is asked to do comes before that session. Default: only what comes before each. */
      readonly doesActions?: boolean;
      /** Whether something of what protects the account is to change: then it asks for all that the account has. */
      readonly changesAccount?: boolean;
      /** What waits for it, which its form says. */
      readonly isFor?: AwaitedChange;
    }
  /** The owner of the account that the flow belongs to signs in, by one of these methods. They type no identifier. */
  | { readonly kind: "owner"; readonly methods: readonly MethodKind[] }
  /** The same, by any method, so that an account elsewhere is linked with it. */
  | { readonly kind: "link"; readonly vouched: VouchedAccount };

/** What somebody signs in with. */
export interface EnteredIdentifier {
  /** As it was typed, without white space around it. */
  readonly typed: string;
  /** Normalised; empty where it can be nobody's. */
  readonly value: string;
}

/** What somebody said first that they sign in with. */
export interface ChosenIdentifier extends EnteredIdentifier {
  /** What the account signs in with. Only where answers may tell; otherwise all methods are offered to everybody. */
  readonly methods?: readonly MethodKind[];
}

/** Who signs in, once that is said. */
interface Named {
  readonly identifier?: ChosenIdentifier;
}

/** The identifier that was typed before. It fills the form in, no more. */
interface Typed {
  readonly typed?: string;
}

/** What was shown first, while a second factor is wanted. */
interface SecondFactorWanted extends Typed {
  readonly firstFactor: FirstFactor;
}

/** All that a login asked for, shown. */
export interface ProvedLogin {
  readonly proofs: readonly (Omit<AuthenticationMethod, "completedAt"> & { readonly completedAt: string })[];
  /** The address that one of them is of. */
  readonly address?: Pick<ContactAddress, "kind" | "value"> | undefined;
  /** Whether the account was just made: its address is to be verified once there is a session. */
  readonly isNew?: boolean | undefined;
  /** Whether the mailbox of a new account was sent too many. */
  readonly isWithheld?: boolean | undefined;
}

/** A proof as a flow remembers it. */
export function rememberedProof(proof: AuthenticationMethod): ProvedLogin["proofs"][number] {
  return { ...proof, completedAt: proof.completedAt.toISOString() };
}

/** Something that the account is asked to do, as a flow remembers it, with what a form of it needs. */
export interface AwaitedAction extends Omit<RequiredAction, "createdAt"> {
  readonly createdAt: string;
  /** For `verify_address`. */
  readonly address?: Pick<ContactAddress, "kind" | "value"> | undefined;
  /** For `complete_traits`: the schema, and the traits as they are. */
  readonly profile?: { readonly schemaId: string; readonly traits: JsonObject } | undefined;
}

/** What is done before the session; no action once nothing is left. */
export interface ActionWanted extends Typed {
  readonly proved: ProvedLogin;
  readonly action?: AwaitedAction | undefined;
}

/** Where a login stands. */
export type LoginState =
  | ({ readonly at: "enter_identifier" } & Typed & Away)
  | ({ readonly at: "choose_method" } & Named & Typed & Away)
  /** A method that asks more than once: it alone goes on. */
  | ({ readonly at: "continue_method"; readonly method: ContinuedMethod } & Named &
      Partial<SecondFactorWanted>)
  | ({ readonly at: "choose_second_factor" } & SecondFactorWanted)
  /** Something is done before the session. `method`: one that asks more than once. */
  | ({
      readonly at: "required_action";
      readonly method?: ContinuedMethod | undefined;
    } & ActionWanted)
  /** With `proved` it is for an address to verify, or for `change`, which has a new one. */
  | (Awaiting & Named & Partial<ActionWanted> & { readonly change?: TraitsChange | undefined })
  | Confirming
  /** This session is there, and the OAuth2 server that asked for it has yet to be told. */
  | { readonly at: "hand_over"; readonly session: SessionId };

/** What was shown first; undefined while the first factor is wanted. */
export function firstFactorOf(state: LoginState): FirstFactor | undefined {
  return "firstFactor" in state ? state.firstFactor : undefined;
}

/** An action as a flow remembers it. */
export function awaited(
  action: RequiredAction,
  { verifiableAddresses, schemaId, traits }: Identity,
): AwaitedAction {
  const remembered = { ...action, createdAt: action.createdAt.toISOString() };
  if (action.kind === "complete_traits") return { ...remembered, profile: { schemaId, traits } };
  // A mail reaches everybody; text messages have countries, and a provider that not every server has.
  const address = verifiableAddresses.find(({ kind }) => kind === "email") ?? verifiableAddresses[0];
  if (action.kind !== "verify_address" || address === undefined) return remembered;
  return { ...remembered, address: { kind: address.kind, value: address.value } };
}

/** The action that a login waits for, as it was asked for; the address of one is masked. */
export function actionOf(
  state: LoginState,
): { readonly action: RequiredAction; readonly masked: string | undefined } | undefined {
  if (!("action" in state) || state.action === undefined) return undefined;
  const { address, profile: _profile, createdAt, ...action } = state.action;
  return {
    action: { ...action, createdAt: new Date(createdAt) },
    masked: address && maskAddress(address),
  };
}

/** Why a login asks for a second factor. */
export function secondFactorWantedBy(purpose: LoginPurpose): SecondFactorReason {
  // What is linked signs in from then on.
  if (purpose.kind === "link") return "to_change_account";
  if (purpose.kind === "owner") return "by_policy";
  if (purpose.stepsUpTo === "aal2") return "demanded";
  return purpose.kind === "refresh" && purpose.changesAccount ? "to_change_account" : "by_policy";
}

/** What a proof of the session must have that a login gives. */
export function demandedBy(purpose: LoginPurpose): readonly MethodProperty[] {
  return (purpose.kind === "refresh" && purpose.demanded) || [];
}

/** The types of a login. */
export interface LoginTypes {
  readonly State: LoginState;
  readonly Purpose: LoginPurpose;
  readonly Context: object;
  readonly Attempt: {
    /** The identifier as it was sent. */
    readonly identifier: string;
    /** What came with the step as the identifier, if it is one that takes it. */
    readonly typed: EnteredIdentifier | undefined;
    /** Who might be signing in. */
    readonly candidate: LoginCandidate | undefined;
    /** Who it is by now. */
    readonly readAgain: () => Promise<LoginCandidate | undefined>;
    /** What of the traits was filled in, where that is asked for: a merge patch. */
    readonly traits: JsonObject;
  };
  readonly Done: SignedIn;
}
