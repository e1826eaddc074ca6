import {
  type FilledForm,
  fieldsOf,
  isFilledForm,
  stepNameOf,
  typedIdentifierOf,
} from "../../form/form-submission.ts";
import type { FlowSubmission, SubmittedStep } from "../../form/submission.ts";
import type { IdentityStore } from "../../identity/store.ts";
import type { IdentityId, SessionId } from "../../ids.ts";
import type { JsonObject } from "../../json.ts";
import type { FlowClient, MethodKind } from "../../kinds.ts";
import {
  type LoginCandidate,
  type LoginMethod,
  methodsPlaying,
  stepOf,
  type VouchedAccount,
} from "../../method/method.ts";
import type { Demand } from "../../session/demands.ts";
import type { AssuranceLevel, AuthenticatedSession, MethodProperty } from "../../session/session.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { AwaitedChange } from "../../user-message/stage-messages.ts";
import type { Challenges } from "../challenge/challenges.ts";
import type { OAuth2HandOvers } from "../oauth2/hand-over.ts";
import type {
  CreatedFlow,
  FirstFactor,
  FlowCaller,
  FlowFound,
  FlowOutcome,
  OAuth2Origin,
  ReadFlow,
} from "../shared/flow.ts";
import type { FlowAccess } from "../shared/flow-access.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import { type CallerStart, KindFlows } from "../shared/kind-flows.ts";
import type { SecondFactors } from "../shared/second-factors.ts";
import type { FlowStore, FoundForLogin } from "../shared/store.ts";
import type { FlowTable, RecordOf } from "../shared/table.ts";
import { typedAt } from "../shared/typed-address.ts";
import { reach } from "./demands.ts";
import { enteredIdentifier } from "./identifier.ts";
import {
  type ActionWanted,
  type EnteredIdentifier,
  firstFactorOf,
  type LoginPurpose,
  type LoginState,
  type LoginTypes,
} from "./state.ts";
import { firstState, methodsFor } from "./steps.ts";

/** What came of a submit to a login. */
export type LoginOutcome = FlowOutcome | LoginTypes["Done"];

/** What was submitted to a login flow. */
export interface LoginSubmission extends FlowSubmission {
  readonly identifier: string;
  readonly step: SubmittedStep;
  /** A merge patch of the traits, where what is missing of them is asked for. */
  readonly traits?: JsonObject;
}

/** What a login flow begins with. */
export interface LoginStart {
  readonly client: FlowClient;
  readonly returnTo: string;
  /** To sign in, to show again who one is, or to show more than before. */
  readonly purpose: "sign_in" | "refresh" | "step_up";
  /** For a step-up: what the new session must show. */
  readonly demands?: readonly Demand[] | undefined;
  readonly linkToken: string;
  readonly clientData?: JsonObject | undefined;
  /** The request of the OAuth2 server that asks for it. */
  readonly oauth2?: OAuth2Origin | undefined;
  /** What the person is likely to sign in with. */
  readonly typed?: string | undefined;
  /** For a step-up: whether the first factor is shown again in any case. */
  readonly fromTheStart?: boolean;
}

interface LoginFlowsDependencies {
  readonly access: FlowAccess;
  readonly engine: FlowEngine;
  readonly flows: FlowStore;
  readonly table: FlowTable<LoginTypes>;
  readonly identities: Pick<IdentityStore, "credentialsOf">;
  readonly methods: readonly LoginMethod[];
  readonly secondFactors: SecondFactors;
  readonly challenges: Challenges;
  readonly handOvers: () => Pick<OAuth2HandOvers, "after">;
}

/** Signing in. What may be done, and when, is the table in steps.ts. */
export class LoginFlows {
  readonly #deps: LoginFlowsDependencies;
  readonly #methods: ReadonlyMap<string, LoginMethod>;
  readonly #flows: KindFlows<LoginTypes>;

  constructor(deps: LoginFlowsDependencies) {
    this.#deps = deps;
    this.#methods = new Map(deps.methods.map((method) => [stepOf(method), method]));
    this.#flows = new KindFlows(deps, {
      kind: "login",
      table: deps.table,
      lifetimeMs: (tenant) => tenant.settings.login.lifetimeMs,
      again: (tenant, { identityId, data: { purpose: former, state, oauth2 } }) => {
        // Security rule (SR-LINK-4): what somebody vouched for lasts no longer than the flow.
        const purpose = former.kind === "link" ? signingIn(oauth2) : former;
        return {
          purpose,
          state: firstState(tenant, purpose, typedAt(state)),
          identityId: purpose.kind === "sign_in" ? undefined : identityId,
        };
      },
    });
  }

  /**
   * Begins a login. A refresh or step-up is for the holder of the session, who shows again who they are. Throws LINK_INVALID,
   * RETURN_TO_NOT_ALLOWED, and for a refresh or step-up a SESSION_ reason, STEP_UP_IMPOSSIBLE, FEATURE_OFF.
   */
  async create(caller: FlowCaller, start: LoginStart): Promise<CreatedFlow> {
    const { access, challenges } = this.#deps;
    access.assertClient(caller, start.client);
    if (start.linkToken !== "") {
      return this.#flows.createByLink(caller, challenges, start, {
        // Security rule (SR-LINK-8): a link signs in, wherever it is opened, and links nothing.
        purposeOf: (purpose) => (purpose.kind === "link" ? signingIn(undefined) : purpose),
      });
    }
    if (start.purpose === "sign_in") {
      return this.#begin(caller, start, signingIn(start.oauth2), undefined, start.typed);
    }
    const shown = await caller.session(start.client);
    if (start.purpose === "step_up") return this.#beginStepUp(caller, start, shown);
    return this.createRefresh(caller, { ...start, session: shown.session });
  }

  /**
   * Begins a login that shows what is missing. Where that is a second factor alone, the first one is not asked for again: the session
   * has it.
   */
  async #beginStepUp(
    caller: FlowCaller,
    start: LoginStart,
    { session, identity }: AuthenticatedSession,
  ): Promise<CreatedFlow> {
    const { identities, methods, secondFactors } = this.#deps;
    const { tenant } = caller;
    const credentials = await identities.credentialsOf(tenant, identity.id);
    const [first] = session.authenticationMethods;
    const authentication = { ...(first ?? { kind: "code" }), assuranceLevel: "aal1" } as const;
    const given = { authentication, by: first?.kind };
    const second = secondFactors.requiredBeside(tenant, given, credentials, "demanded");
    const owner = { identity, credentials };
    const { reachable, wanted } = reach(tenant, methods, owner, start.demands ?? [], second);
    const { stepsUpTo, demanded = [] } = wanted;
    const able = reachable.filter(
      ({ kind, properties = [] }) =>
        second.includes(kind) && demanded.every((property) => properties.includes(property)),
    );
    const isTooWeak = stepsUpTo === "aal2" && session.assuranceLevel !== "aal2";
    const isShownFirst = methodsPlaying("first", reachable, tenant).some(({ properties = [] }) =>
      demanded.every((property) => properties.includes(property)),
    );
    const isSecondWanted = able.length > 0 && (isTooWeak || !isShownFirst) && !start.fromTheStart;
    if (!isSecondWanted || first === undefined)
      return this.createRefresh(caller, { ...start, session, ...wanted });
    const { purpose, completedAt, ...proof } = first;
    const firstFactor = {
      ...secondFactors.firstFactor(
        { ...proof, assuranceLevel: "aal1" },
        purpose,
        able.map(({ kind }) => kind),
        credentials,
      ),
      completedAt: completedAt.toISOString(),
    };
    return this.#flows.create(caller, start, {
      purpose: { kind: "refresh", session: session.id, ...wanted },
      state: { at: "choose_second_factor", firstFactor },
      identityId: identity.id,
    });
  }

  /** Begins a login in which the holder of a session proves again who they are. */
  createRefresh(
    caller: FlowCaller,
    start: CallerStart & {
      readonly session: { readonly id: SessionId; readonly identityId: IdentityId };
      readonly stepsUpTo?: AssuranceLevel | undefined;
      readonly demanded?: readonly MethodProperty[] | undefined;
      readonly doesActions?: boolean | undefined;
      readonly changesAccount?: boolean | undefined;
      readonly isFor?: AwaitedChange | undefined;
    },
  ): Promise<CreatedFlow> {
    const { session, stepsUpTo, demanded, doesActions, changesAccount, isFor } = start;
    const wanted = { stepsUpTo, demanded, doesActions, changesAccount, isFor };
    const purpose = { kind: "refresh", session: session.id, ...wanted } as const;
    return this.#begin(caller, start, purpose, session.identityId);
  }

  /**
   * Begins a login to one account, by any of its credentials; undefined if it has none that is offered here. Nothing is sent
   * to its addresses: none is verified.
   */
  async createForOwner(
    caller: FlowCaller,
    start: CallerStart,
    identityId: IdentityId,
    credentials: LoginCandidate["credentials"],
  ): Promise<CreatedFlow | undefined> {
    const first = methodsPlaying("first", this.#deps.methods, caller.tenant);
    const methods = methodsFor(caller.tenant, first, credentials);
    if (methods.length === 0) return undefined;
    return this.#begin(caller, start, { kind: "owner", methods }, identityId);
  }

  /**
   * The login of somebody for whose account elsewhere somebody has vouched already. Only to be stored with what it follows; `goesOn`
   * tries it.
   */
  draftVouched(caller: FlowCaller, start: CallerStart, kind: MethodKind, vouched: VouchedAccount) {
    const memory = { vouched: vouched as unknown as JsonObject };
    const state: LoginState = { at: "continue_method", method: { kind, memory } };
    const begun = { ...start, purpose: signingIn(start.oauth2), state };
    const { record, created } = this.#deps.engine.draft(caller, this.#flows.view, begun);
    const { id, csrfToken } = created.flow;
    const submission = {
      ...{ flowId: id.reveal(), csrfToken: csrfToken?.reveal() ?? "", identifier: "" },
      step: { name: stepOf({ kind }), fields: {} },
    };
    const read = { flow: record, candidate: undefined };
    return { begins: record, goesOn: () => this.submit(caller, submission, read) };
  }

  /**
   * The login to an account by any of its ways in, so that an account elsewhere is linked with it. Only to be stored with what it
   * follows.
   */
  draftToLink(caller: FlowCaller, start: CallerStart, identityId: IdentityId, vouched: VouchedAccount) {
    const purpose = { kind: "link", vouched } as const;
    const state = firstState(caller.tenant, purpose);
    return this.#deps.engine.draft(caller, this.#flows.view, { ...start, purpose, state, identityId });
  }

  /** Begins a login of somebody whose first proof was given elsewhere: only the second factor is wanted. */
  createSecondFactor(
    caller: FlowCaller,
    start: CallerStart,
    identityId: IdentityId,
    firstFactor: FirstFactor,
  ): Promise<CreatedFlow> {
    const state = { at: "choose_second_factor", firstFactor } as const;
    return this.#flows.create(caller, start, { purpose: { kind: "sign_in" }, state, identityId });
  }

  /** Begins a login of somebody whose proofs were all given elsewhere: only what comes before the session is left to do. */
  createForActions(
    caller: FlowCaller,
    start: CallerStart,
    identityId: IdentityId,
    wanted: ActionWanted,
  ): Promise<CreatedFlow> {
    return this.#flows.create(caller, start, forActions(identityId, wanted));
  }

  /** The same login, only to be stored with what it follows. */
  draftForActions(caller: FlowCaller, start: CallerStart, identityId: IdentityId, wanted: ActionWanted) {
    return this.#deps.engine.draft(caller, this.#flows.view, {
      ...start,
      ...forActions(identityId, wanted),
    });
  }

  /** Begins a login that does nothing but tell the OAuth2 server of a session that is there. */
  createHandOver(
    caller: FlowCaller,
    start: CallerStart,
    session: { readonly id: SessionId; readonly identityId: IdentityId },
  ): Promise<CreatedFlow> {
    return this.#flows.create(caller, start, {
      purpose: signingIn(start.oauth2),
      state: { at: "hand_over", session: session.id },
      identityId: session.identityId,
    });
  }

  #begin(
    caller: FlowCaller,
    start: CallerStart,
    purpose: LoginPurpose,
    identityId?: IdentityId,
    typed?: string,
  ): Promise<CreatedFlow> {
    const state = firstState(caller.tenant, purpose, typed);
    return this.#flows.create(caller, start, { purpose, state, identityId });
  }

  /** The flow as its holder sees it, or a fresh one in its place. */
  show(caller: FlowCaller, flowId: string, read: ReadFlow): Promise<FlowFound> {
    return this.#flows.show(caller, flowId, read);
  }

  /**
   * Tries what was submitted. Two round trips where a password succeeds and nobody else logs in as the same identity,
   * beside the throttle's one; two where it says who signs in. Throws RATE_LIMITED, STEP_NOT_OFFERED.
   */
  async submit(
    caller: FlowCaller,
    submitted: LoginSubmission | FilledForm,
    read?: FoundForLogin,
  ): Promise<LoginOutcome> {
    const { flow: found, candidate } = read ?? (await this.#find(caller, submitted));
    const outcome = await this.#flows.submit<LoginSubmission>(
      caller,
      submitted,
      found,
      (submission, flow) => ({
        identifier: submission.identifier,
        typed: this.#typedOf(caller.tenant, submission),
        traits: submission.traits ?? {},
        candidate: ownCandidate(flow, candidate),
        readAgain: async () => ownCandidate(flow, (await this.#find(caller, submission)).candidate),
      }),
    );
    return this.#deps.handOvers().after(caller, found, outcome);
  }

  /** A flow of any kind, for a form whose kind of flow is not known yet, with what a login needs. One round trip. */
  findForForm(caller: FlowCaller, filled: FilledForm): Promise<FoundForLogin> {
    return this.#find(caller, filled, "findForForm");
  }

  #find(
    { tenant }: FlowCaller,
    submitted: LoginSubmission | FilledForm,
    how: "findForLogin" | "findForForm" = "findForLogin",
  ): Promise<FoundForLogin> {
    const { access, flows } = this.#deps;
    const digest = access.digestOf(tenant, submitted.flowId);
    const method = this.#methods.get(stepNameOf(submitted));
    // Nobody but who vouches says whose the account is.
    const typed = method?.isVouchedFor ? undefined : this.#typedOf(tenant, submitted);
    const asked = method?.credential && {
      kind: method.credential,
      lookupKey: method.lookupKey?.(fieldsOf(submitted)),
    };
    return flows[how](tenant, digest, typed?.value, asked);
  }

  /** The identifier that was typed. With a code or a click it has no meaning, because the flow has its identifier already. */
  #typedOf(tenant: Tenant, submitted: LoginSubmission | FilledForm): EnteredIdentifier | undefined {
    // If the form does not ask for an identifier, it is refused with one.
    if (isFilledForm(submitted)) return enteredIdentifier(typedIdentifierOf(submitted), tenant);
    const { step, identifier } = submitted;
    const isNamed = ["identify", "sendCode", "sendLink"].includes(step.name) || this.#methods.has(step.name);
    return isNamed ? enteredIdentifier(identifier, tenant) : undefined;
  }
}

/** Somebody signs in, to the level that an OAuth2 server asks for. */
function signingIn(oauth2: OAuth2Origin | undefined): LoginPurpose {
  const { level } = oauth2 ?? {};
  return { kind: "sign_in", ...(level && { stepsUpTo: level }) };
}

/** A login in which only what comes before the session is left to do. */
function forActions(identityId: IdentityId, wanted: ActionWanted) {
  const state: LoginState = { at: "required_action", ...wanted };
  const purpose: LoginPurpose = { kind: "sign_in" };
  return { purpose, state, identityId };
}

/** In a flow that belongs to somebody nobody else can sign in: they are answered as if they did not exist. */
function ownCandidate(
  { data, identityId }: RecordOf<LoginTypes>,
  candidate: LoginCandidate | undefined,
): LoginCandidate | undefined {
  const { purpose, state } = data;
  const isOwned = purpose.kind !== "sign_in" || firstFactorOf(state) !== undefined || "proved" in state;
  return isOwned && candidate?.identity.id !== identityId ? undefined : candidate;
}
