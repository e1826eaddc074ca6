import type { SealedMessage } from "../../courier/outbox.ts";
import type { Event } from "../../event/event.ts";
import type { Form, Node } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { SubmittedStep } from "../../form/submission.ts";
import type { IdentityId } from "../../ids.ts";
import type { Challenge } from "../../method/method.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { ThrottledAction } from "../../throttle/limits.ts";
import type { ThrottleSubjects } from "../../throttle/subjects.ts";
import type { ThrottleTicket } from "../../throttle/throttle.ts";
import type {
  AnyState,
  CreatedFlow,
  FlowCaller,
  FlowCompleted,
  FlowOutcome,
  FlowRecord,
  FlowStage,
  SessionWaits,
} from "./flow.ts";
import type { Typed } from "./kept-outcome.ts";
import type { Sent } from "./sent-before.ts";
import type { HeldRevision } from "./store.ts";

/** The types of one kind of flow. */
export interface KindTypes {
  readonly State: AnyState;
  readonly Purpose: object;
  /** What its rules know beside the flow. */
  readonly Context: object;
  /** What a step is tried with beside that. */
  readonly Attempt: object;
  /** What may come of a step, beside another state and a rejection. */
  readonly Done: { readonly kind: string };
}

/** A flow of a kind. */
export type RecordOf<K extends KindTypes> = FlowRecord<K["State"], K["Purpose"]>;

/** A flow that stands at a state, as the rules of its kind see it. */
export type ContextOf<K extends KindTypes, State = K["State"]> = {
  readonly tenant: Tenant;
  readonly flow: RecordOf<K>;
  readonly state: State;
} & K["Context"];

/** A step that was submitted to a flow, by its holder. */
export type AttemptOf<K extends KindTypes, State = K["State"]> = ContextOf<K, State> & {
  readonly caller: FlowCaller;
  readonly flowId: string;
  readonly step: SubmittedStep;
  readonly count: Count;
} & K["Attempt"];

/**
 * Counts a try as one of the actions that the table names for the step, by what the call shows and by these subjects. Throws
 * RATE_LIMITED.
 */
export type Count = (action: ThrottledAction, subjects: ThrottleSubjects) => Promise<ThrottleTicket>;

/** How a login or a registration ends. */
export type SignedIn = { readonly kind: "completed"; readonly completed: FlowCompleted } | SessionWaits;

/** Another state, and what is written together with it. */
export interface Moved<State> {
  readonly kind: "moved";
  readonly state: State;
  /** Whose flow it is from now on, where that is known. */
  readonly identityId: IdentityId | undefined;
  readonly challenge?: Challenge | undefined;
  readonly messages?: readonly SealedMessage[] | undefined;
  /** Of a code or link that was sent, or would have been: what it is, and to whom. The flow sends no other such one for a while. */
  readonly sent?: Sent | undefined;
  readonly events?: readonly Event[] | undefined;
  /** The flow's revision and that of another flow which is used up by the step, where a challenge was counted. */
  readonly held?: readonly HeldRevision[] | undefined;
  /** Another flow, which is stored together with it. */
  readonly begins?: FlowRecord | undefined;
  /** What comes of that flow: its holder goes on there. Undefined: they go on here. */
  readonly goesOn?: (() => Promise<FlowOutcome | SignedIn>) | undefined;
  /** Where the browser goes on. */
  readonly url?: string | undefined;
  /** Whether the state is written already, together with what it rests on. */
  readonly isWritten?: boolean;
}

/** A step that was not accepted, with the events to record. */
export interface NotAccepted extends StepRejected {
  readonly events?: readonly Event[] | undefined;
  /** What the form is filled in with again. Undefined: as the state says. */
  readonly typed?: Typed | undefined;
  /** Where the flow goes on, if what was on offer is worth nothing any more. Undefined: it stays where it stands. */
  readonly goesTo?: AnyState | undefined;
}

/** A login that comes first; the flow goes on with the step `resume`. */
export interface LoginFirst<State = never> {
  readonly kind: "login_first";
  /** What the flow remembers meanwhile. Undefined: nothing changes. */
  readonly moved?: Moved<State>;
  /** Begins the login. */
  readonly begin: () => Promise<CreatedFlow>;
}

/** What came of a step. */
export type StepResult<K extends KindTypes> =
  | Moved<K["State"]>
  | NotAccepted
  | LoginFirst<K["State"]>
  | K["Done"];

/** What may be done at a state. */
export interface StepRule<K extends KindTypes, State = K["State"]> {
  /** The states that the step may lead to, beside its own; `completed` ends the flow. */
  readonly leadsTo: readonly (K["State"]["at"] | "completed")[];
  /** What a try is counted as. Undefined: nothing is counted but the call itself. */
  readonly limits?: readonly ThrottledAction[];
  /** What the session must show. Undefined: nothing beside what the flow itself does. */
  readonly needs?: "fresh login" | "fresh login for addresses";
  /** Whether the step is on offer. Default: it is. */
  isOffered?(context: ContextOf<K, State>): boolean;
  /** What is drawn for the step: its fields, and its button last. */
  nodes(context: ContextOf<K, State>, typed: Typed): readonly Node[];
  take(attempt: AttemptOf<K, State>): Promise<StepResult<K>>;
}

/** One state of a kind of flow: what its holder sees there, and what may be done. */
export type StateRule<K extends KindTypes, State = K["State"]> = ShownAs<K, State> & {
  /** The title of the form, the sentence below it, its messages, sections and account. */
  texts(context: ContextOf<K, State>): Omit<Partial<Form>, "nodes">;
  /** The nodes that belong to several steps, drawn first. */
  nodes?(context: ContextOf<K, State>, typed: Typed): readonly Node[];
  /** What of a rejected submit the form is filled in with again. */
  typed?(attempt: AttemptOf<K, State>): Typed;
  /** By the step's name, in the order to draw them. */
  readonly steps: Readonly<Record<string, StepRule<K, State>>>;
};

/** The stage that a state is shown as to forms that are written by hand, and what such a form needs there. */
type ShownAs<K extends KindTypes, State> = {
  readonly [Stage in FlowStage as Stage["kind"]]: {
    readonly stage: Stage["kind"];
  } & (keyof Stage extends "kind" ? unknown : { facts(context: ContextOf<K, State>): Omit<Stage, "kind"> });
}[FlowStage["kind"]];

/** All states of a kind of flow. The form, the stage, the offers and what is accepted derive from it. */
export type FlowTable<K extends KindTypes> = {
  readonly [At in K["State"]["at"]]: StateRule<K, Extract<K["State"], { readonly at: At }>>;
};

/** The rule of the state that a flow stands at. */
export function stateRule<K extends KindTypes>(table: FlowTable<K>, state: K["State"]): StateRule<K> {
  // A union of rules cannot be called, though each is only looked up by its own state.
  return table[state.at as K["State"]["at"]] as unknown as StateRule<K>;
}

/** The rules of the steps that are on offer. */
export function offeredSteps<K extends KindTypes>(
  table: FlowTable<K>,
  context: ContextOf<K>,
): readonly StepRule<K>[] {
  return Object.values(stateRule(table, context.state).steps).filter(
    (rule) => rule.isOffered?.(context) ?? true,
  );
}
