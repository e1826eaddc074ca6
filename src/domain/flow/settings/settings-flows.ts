import { DomainError, domainError } from "../../errors.ts";
import { type FilledForm, submissionOf } from "../../form/form-submission.ts";
import type { FlowSubmission, SubmittedStep } from "../../form/submission.ts";
import type { Identity } from "../../identity/identity.ts";
import { changeableNow, changeBetween } from "../../identity/merge-patch.ts";
import type { IdentityId } from "../../ids.ts";
import type { JsonObject } from "../../json.ts";
import type { FlowClient } from "../../kinds.ts";
import type { SettingsMethod } from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import type { Session } from "../../session/session.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { ReadFlow } from "../any-flows.ts";
import type { LoginFlows } from "../login/login-flows.ts";
import type {
  CreatedFlow,
  FirstFactor,
  FlowCaller,
  FlowData,
  FlowFound,
  FlowRecord,
  SettingsChange,
} from "../shared/flow.ts";
import { dataWith } from "../shared/flow-answers.ts";
import type { FlowKeeper, FlowStart } from "../shared/flow-keeper.ts";
import type { FlowStore } from "../shared/store.ts";
import type { AccountDeletion } from "./account-deletion.ts";
import type { PasswordSettings } from "./password-settings.ts";
import type { ProfileSettings } from "./profile-settings.ts";
import type { SettingsHolder, SettingsOutcome, SettingsView } from "./settings-view.ts";

/** What was submitted to a settings flow. */
export interface SettingsSubmission extends FlowSubmission {
  /** A merge patch of the traits. */
  readonly traits: JsonObject;
  /** The etag of the traits that the form was drawn from; empty if the client sent none. */
  readonly traitsEtag: string;
  readonly step: SubmittedStep;
}

interface SettingsFlowsDependencies {
  readonly keeper: FlowKeeper;
  readonly flows: FlowStore;
  readonly methods: readonly SettingsMethod[];
  readonly view: SettingsView;
  readonly profile: ProfileSettings;
  readonly password: PasswordSettings;
  readonly deletion: AccountDeletion;
  readonly logins: LoginFlows;
  readonly clock: Clock;
}

/**
 * Changing one's own account: who may, and whether a fresh login comes first. What the changes are is in
 * profile-settings.ts, password-settings.ts and account-deletion.ts.
 */
export class SettingsFlows {
  readonly #keeper: FlowKeeper;
  readonly #flows: FlowStore;
  readonly #methods: ReadonlyMap<string, SettingsMethod>;
  readonly #view: SettingsView;
  readonly #profile: ProfileSettings;
  readonly #password: PasswordSettings;
  readonly #deletion: AccountDeletion;
  readonly #logins: LoginFlows;
  readonly #clock: Clock;

  constructor(dependencies: SettingsFlowsDependencies) {
    this.#keeper = dependencies.keeper;
    this.#flows = dependencies.flows;
    this.#methods = new Map(dependencies.methods.map((method) => [method.kind, method]));
    this.#view = dependencies.view;
    this.#profile = dependencies.profile;
    this.#password = dependencies.password;
    this.#deletion = dependencies.deletion;
    this.#logins = dependencies.logins;
    this.#clock = dependencies.clock;
  }

  /** Begins a settings flow of the caller's own account. Throws a SESSION_ reason without a session. */
  async create(
    caller: FlowCaller,
    { client, returnTo, clientData }: Pick<FlowStart, "client" | "returnTo"> & Pick<FlowData, "clientData">,
  ): Promise<CreatedFlow> {
    this.#keeper.assertClient(caller, client);
    const { identity } = await caller.session(client);
    const shape = this.#view.shapeOf(caller.tenant, identity);
    const data = dataWith({}, { clientData });
    return this.#keeper.create(caller, shape, { client, returnTo, data, identityId: identity.id });
  }

  /** The flow in which a recovered account gets its new secret, only to be stored. It needs no session. */
  draftAfterRecovery(
    caller: FlowCaller,
    start: {
      readonly client: FlowClient;
      readonly returnTo: string | undefined;
      readonly identityId: IdentityId;
      readonly recovery: FirstFactor;
      readonly clientData?: FlowData["clientData"];
    },
  ) {
    const { client, returnTo, identityId, recovery, clientData } = start;
    const shape = this.#view.shapeOf(caller.tenant, undefined);
    const data = dataWith({ recovery }, { clientData });
    return this.#keeper.draft(caller, shape, { client, returnTo, identityId, data });
  }

  /** The flow as its holder sees it, or a fresh one in its place. Throws a SESSION_ reason without a session. */
  async show(caller: FlowCaller, flowId: string, { flow, identity }: ReadFlow): Promise<FlowFound> {
    const held = this.#keeper.hold(caller, flow);
    const holder = await this.#holderOf(caller, held.record, flowId, identity);
    if (held.kind === "expired") {
      return { kind: "replaced", replacement: await this.#view.beginAgain(caller, holder) };
    }
    const shape = this.#view.shapeOf(caller.tenant, holder.identity);
    return this.#keeper.show(caller, shape, flowId, held.record);
  }

  /** Carries out what was submitted. */
  async submit(
    caller: FlowCaller,
    submitted: SettingsSubmission | FilledForm,
    read?: ReadFlow,
  ): Promise<SettingsOutcome> {
    const { tenant } = caller;
    const { flowId } = submitted;
    const { flow, identity: owner } = read ?? (await this.#find(tenant, flowId));
    const held = this.#keeper.hold(caller, flow);
    this.#keeper.assertFormToken(caller, held.record, flowId, submitted.csrfToken);
    // Security rule: who it is comes before how far the flow has come. A flow that is over shows its owner's profile, too.
    const found = await this.#holderOf(caller, held.record, flowId, owner);
    const replace = () => this.#view.beginAgain(caller, found);
    const admitted = await this.#keeper.admit(held, submitted, replace);
    if (admitted.kind !== "entered") return admitted;
    const { record } = admitted;
    const holder = { ...found, record };
    const shape = this.#view.shapeOf(tenant, holder.identity);
    const submission = submissionOf(submitted, () => shape.form(tenant, record).nodes);
    const { step } = submission;

    if (record.data.pending !== undefined) return this.#profile.submitProof(caller, holder, step);
    const method = this.#methods.get(step.name);
    if (method !== undefined) {
      const isPrivileged = this.#isPrivileged(tenant, holder);
      const change = await this.#password.prepare(caller, holder, { method, step, isPrivileged });
      if (change.kind === "rejected") return this.#view.rejected(caller, holder, change);
      return this.#apply(caller, holder, change);
    }
    if (step.name === "resume" && record.data.interrupted !== undefined) {
      return this.#apply(caller, holder, record.data.interrupted);
    }
    // Security rule: what follows a recovery is a new secret, and nothing else before it.
    if (record.data.recovery !== undefined) throw domainError("STEP_NOT_OFFERED", { step: step.name });
    if (step.name === "profile") return this.#submitProfile(caller, holder, submission);
    if (step.name === "deleteAccount") return this.#apply(caller, holder, { kind: "deletion" });
    if (step.name === "keepAccount") return this.#deletion.cancel(caller, holder);
    throw domainError("STEP_NOT_OFFERED", { step: step.name });
  }

  /** Carries out a change that was checked, or asks for a fresh login first, and keeps it until then. */
  async #apply(caller: FlowCaller, holder: SettingsHolder, change: SettingsChange): Promise<SettingsOutcome> {
    const { tenant } = caller;
    const isPrivileged = this.#isPrivileged(tenant, holder);
    switch (change.kind) {
      case "password":
        if (!isPrivileged) return this.#loginRequired(caller, holder, change);
        return this.#password.change(caller, holder, change);
      case "deletion":
        this.#deletion.assertOffered(tenant, holder);
        // Security rule: a session that somebody found open or stole deletes no account (ASVS V7.5.1).
        if (!isPrivileged) return this.#loginRequired(caller, holder, change);
        return this.#deletion.request(caller, holder);
      case "profile":
        return this.#applyProfile(caller, holder, changeableNow(change.change, holder.identity.traits));
      default: {
        const unreachable: never = change;
        return unreachable;
      }
    }
  }

  /**
   * Changes traits as they were filled in. If a trait in the patch was changed elsewhere since the form was drawn, nothing is
   * saved: the form shows its new value, with the typed value beside it.
   */
  async #submitProfile(
    caller: FlowCaller,
    holder: SettingsHolder,
    { traits: patch, traitsEtag }: SettingsSubmission,
  ): Promise<SettingsOutcome> {
    if (traitsEtag === "") return this.#applyProfile(caller, holder, patch);
    const conflict = this.#profile.conflictOf(caller.tenant, holder.identity, patch, traitsEtag);
    if (conflict === undefined) return this.#applyProfile(caller, holder, patch);
    return this.#view.rejected(caller, holder, conflict.rejected, conflict.merged);
  }

  /** Changes traits by a merge patch of those that the account has now. */
  async #applyProfile(
    caller: FlowCaller,
    holder: SettingsHolder,
    patch: JsonObject,
  ): Promise<SettingsOutcome> {
    const { tenant } = caller;
    const { identity } = holder;
    const { plan, merged } = this.#profile.plan(tenant, identity, patch);
    if (plan.kind === "rejected") return this.#view.rejected(caller, holder, plan, merged);
    // Security rule: what somebody signs in or is recovered with changes only after a fresh login (ASVS V7.5.1).
    if (plan.isSensitive && !this.#isPrivileged(tenant, holder)) {
      const change = changeBetween(identity.traits, plan.traits);
      return this.#loginRequired(caller, holder, { kind: "profile", change });
    }
    return this.#profile.change(caller, holder, plan);
  }

  /** Keeps the change, and begins the login that it waits for. */
  async #loginRequired(
    caller: FlowCaller,
    { record, flowId, identity, session }: SettingsHolder,
    change: SettingsChange,
  ): Promise<SettingsOutcome> {
    const { tenant } = caller;
    const { recovery } = record.data;
    const data = { ...record.data, interrupted: change };
    const held = { digest: record.digest, revision: record.revision };
    const advance = { data, challenge: undefined, identityId: identity.id, messages: [], events: [] };
    const advanced = await this.#flows.advance({ tenantId: tenant.id }, held, advance);
    if (!advanced) throw await this.#keeper.taken(tenant, record);
    const { client, returnTo } = record;
    const loginFlow = await this.#beginLogin(caller, { client, returnTo }, { identity, session, recovery });
    const waiting = { ...record, revision: record.revision + 1, data };
    const flow = this.#keeper.presentTo(caller, this.#view.shapeOf(tenant, identity), flowId, waiting);
    return { kind: "login_required", loginFlow, flow };
  }

  /** A login in which the holder of the session proves again who they are, or whoever was recovered shows what is missing. */
  #beginLogin(
    caller: FlowCaller,
    start: { readonly client: FlowClient; readonly returnTo: string | undefined },
    {
      identity,
      session,
      recovery,
    }: Pick<SettingsHolder, "identity" | "session"> & Pick<FlowData, "recovery">,
  ): Promise<CreatedFlow> {
    if (recovery !== undefined) {
      const identityId = identity.id;
      return this.#logins.createSecondFactor(caller, { ...start, identityId, firstFactor: recovery });
    }
    if (session === undefined) throw domainError("SESSION_CREDENTIAL_MISSING", {});
    return this.#logins.createRefresh(caller, { ...start, session });
  }

  #find(tenant: Tenant, flowId: string) {
    const digest = this.#keeper.digestOf(tenant, flowId);
    return this.#flows.findWithIdentity({ tenantId: tenant.id }, "settings", digest);
  }

  /**
   * Who uses the flow. Security rule: a settings flow is only good together with a session of its owner; a stolen id
   * alone opens nothing. After a recovery the flow itself stands for the proof that was given; what is wanted beside it
   * shows in a session.
   */
  async #holderOf(
    caller: FlowCaller,
    record: FlowRecord,
    flowId: string,
    identity: Identity | undefined,
  ): Promise<SettingsHolder> {
    if (record.data.recovery !== undefined) {
      if (identity?.state !== "active") throw domainError("FLOW_NOT_FOUND", {});
      const isEnough = record.data.recovery.methods.length === 0;
      const session = isEnough ? undefined : await sessionOf(caller, record.client, identity.id);
      return { record, flowId, identity, session };
    }
    const { session } = await caller.session(record.client);
    if (identity !== undefined && session.identityId === identity.id) {
      return { record, flowId, identity, session };
    }
    // A browser has shown that the flow is its own: somebody else has signed in there, and their form is not to get what was
    // typed into this one. Of a native flow a stranger learns nothing.
    throw domainError(record.client === "browser" ? "FLOW_IDENTITY_MISMATCH" : "FLOW_NOT_FOUND", {});
  }

  #isPrivileged(tenant: Tenant, { record, session }: SettingsHolder): boolean {
    // Security rule: whoever has a second factor shows it before a recovery changes anything (peers D 15, D4 1).
    const { recovery } = record.data;
    if (recovery !== undefined && recovery.methods.length === 0) return true;
    if (recovery !== undefined && session?.assuranceLevel !== "aal2") return false;
    const age = session && this.#clock.now().getTime() - session.authenticatedAt.getTime();
    return age !== undefined && age <= tenant.settings.settings.privilegedMs;
  }
}

/** The session that the caller shows, if it is this identity's; undefined if it is not, or there is none. */
async function sessionOf(
  caller: FlowCaller,
  client: FlowClient,
  identityId: IdentityId,
): Promise<Session | undefined> {
  try {
    const { session } = await caller.session(client);
    return session.identityId === identityId ? session : undefined;
  } catch (error) {
    // Without a session nothing was shown yet: that is for the flow to say.
    if (error instanceof DomainError && error.reason.startsWith("SESSION_")) return undefined;
    throw error;
  }
}
