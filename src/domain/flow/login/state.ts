import type { SessionId } from "../../ids.ts";
import type { MethodKind } from "../../kinds.ts";
import type { LoginCandidate, MethodMemory } from "../../method/method.ts";
import type { AssuranceLevel, MethodProperty } from "../../session/session.ts";
import type { Awaiting, Confirming } from "../challenge/state.ts";
import type { FirstFactor, FlowCompleted } from "../shared/flow.ts";

/** What a login was begun for. */
export type LoginPurpose =
  | { readonly kind: "sign_in" }
  /** The holder of a session proves again who they are: the session that comes of it replaces that one. */
  | {
      readonly kind: "refresh";
      readonly session: SessionId;
      /** The least assurance level of the session that it gives. */
      readonly stepsUpTo?: AssuranceLevel;
      /** What a proof of that session must have. */
      readonly demanded?: readonly MethodProperty[];
    }
  /** The owner of the account that the flow belongs to signs in, by one of these methods. They type no identifier. */
  | { readonly kind: "owner"; readonly methods: readonly MethodKind[] };

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

/** Where a login stands. */
export type LoginState =
  | ({ readonly at: "enter_identifier" } & Typed)
  | ({ readonly at: "choose_method" } & Named & Typed)
  /** A method that asks more than once: it alone goes on. */
  | ({
      readonly at: "continue_method";
      readonly method: { readonly kind: MethodKind; readonly memory: MethodMemory };
    } & Named &
      Partial<SecondFactorWanted>)
  | ({ readonly at: "choose_second_factor" } & SecondFactorWanted)
  | (Awaiting & Named)
  | Confirming;

/** What was shown first; undefined while the first factor is wanted. */
export function firstFactorOf(state: LoginState): FirstFactor | undefined {
  return "firstFactor" in state ? state.firstFactor : undefined;
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
  };
  readonly Done: { readonly kind: "completed"; readonly completed: FlowCompleted };
}
