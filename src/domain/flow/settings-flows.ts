import { noticesTo } from "../courier/notices.ts";
import type { Outbox } from "../courier/outbox.ts";
import { domainError } from "../errors.ts";
import { newEvent } from "../event/event.ts";
import type { Identity } from "../identity/identity.ts";
import { maskAddress } from "../identity/mask-address.ts";
import type { IdentitySchemas } from "../identity/schemas.ts";
import type { IdentityId } from "../ids.ts";
import type { JsonObject } from "../json.ts";
import * as messages from "../message/message.ts";
import type { Authentication, SettingsMethod, StepRejected, SubmittedStep } from "../method/method.ts";
import type { Clock, Tokens } from "../ports.ts";
import type { Session } from "../session/session.ts";
import { newSession } from "../session/sessions.ts";
import type { Tenant } from "../tenant/tenant.ts";
import { type AddressProofs, verifiedAddresses } from "./address-proofs.ts";
import type {
  CreatedFlow,
  Flow,
  FlowCaller,
  FlowClient,
  FlowCompleted,
  FlowOutcome,
  FlowRecord,
  ProofTarget,
  SettingsChange,
} from "./flow.ts";
import type { FlowKeeper, FlowSubmission } from "./flow-keeper.ts";
import type { LoginFlows } from "./login-flows.ts";
import { changedIdentity, type ProfilePlan, planProfileChange } from "./profile-change.ts";
import { identifiersTaken, oneAddressAtATime, settingsShape, traitsInvalid } from "./settings-form.ts";
import type { FlowStore } from "./store.ts";

/** What was submitted to a settings flow. */
export interface SettingsSubmission extends FlowSubmission {
  readonly traits: JsonObject;
  readonly step: SubmittedStep;
}

/** What came of it. */
export type SettingsOutcome =
  | FlowOutcome<{
      readonly identity: Identity;
      readonly session: Pick<FlowCompleted, "session" | "token" | "client">;
      readonly returnTo: string | undefined;
    }>
  | { readonly kind: "saved"; readonly flow: Flow; readonly identity: Identity }
  | { readonly kind: "login_required"; readonly loginFlow: CreatedFlow; readonly flow: Flow };

interface SettingsFlowsDependencies {
  readonly keeper: FlowKeeper;
  readonly flows: FlowStore;
  readonly schemas: IdentitySchemas;
  readonly methods: readonly SettingsMethod[];
  readonly proofs: AddressProofs;
  readonly logins: LoginFlows;
  readonly outbox: Outbox;
  readonly tokens: Tokens;
  readonly clock: Clock;
}

/** Who uses a settings flow, and what of: their account, and the session that they hold; none after a recovery. */
interface Holder {
  readonly record: FlowRecord;
  readonly flowId: string;
  readonly identity: Identity;
  readonly session: Session | undefined;
}

/** Changing one's own account. */
export class SettingsFlows {
  readonly #keeper: FlowKeeper;
  readonly #flows: FlowStore;
  readonly #schemas: IdentitySchemas;
  readonly #methods: ReadonlyMap<string, SettingsMethod>;
  readonly #proofs: AddressProofs;
  readonly #logins: LoginFlows;
  readonly #outbox: Outbox;
  readonly #tokens: Tokens;
  readonly #clock: Clock;

  constructor(dependencies: SettingsFlowsDependencies) {
    this.#keeper = dependencies.keeper;
    this.#flows = dependencies.flows;
    this.#schemas = dependencies.schemas;
    this.#methods = new Map(dependencies.methods.map((method) => [method.kind, method]));
    this.#proofs = dependencies.proofs;
    this.#logins = dependencies.logins;
    this.#outbox = dependencies.outbox;
    this.#tokens = dependencies.tokens;
    this.#clock = dependencies.clock;
  }

  /** Begins a settings flow of the caller's own account. Throws a SESSION_ reason without a session. */
  async create(caller: FlowCaller, start: { client: FlowClient; returnTo: string }): Promise<CreatedFlow> {
    const { identity } = await caller.session();
    const shape = this.#shapeOf(caller.tenant, identity);
    return this.#keeper.create(caller, shape, { ...start, data: {}, identityId: identity.id });
  }

  /** The flow in which a recovered account gets its new secret, only to be stored. It needs no session. */
  draftAfterRecovery(
    caller: FlowCaller,
    start: {
      readonly client: FlowClient;
      readonly returnTo: string | undefined;
      readonly identityId: IdentityId;
      readonly recovery: Authentication;
    },
  ) {
    const { client, returnTo, identityId, recovery } = start;
    const shape = this.#shapeOf(caller.tenant, undefined);
    return this.#keeper.draft(caller, shape, { client, returnTo, identityId, data: { recovery } });
  }

  /** The flow as it stands. Throws FLOW_EXPIRED with the id of a fresh one, a SESSION_ reason without a session. */
  async get(caller: FlowCaller, flowId: string): Promise<Flow> {
    const { tenant } = caller;
    const digest = this.#keeper.digestOf(tenant, flowId);
    const { flow, identity } = await this.#flows.findWithIdentity(
      { tenantId: tenant.id },
      "settings",
      digest,
    );
    const { record } = this.#keeper.hold(caller, flow);
    await this.#holderOf(caller, record, flowId, identity);
    return (await this.#keeper.get(caller, this.#shapeOf(tenant, identity), flowId)).flow;
  }

  /** Carries out what was submitted. */
  async submit(caller: FlowCaller, submission: SettingsSubmission): Promise<SettingsOutcome> {
    const { tenant } = caller;
    const { step, flowId, traits } = submission;
    const digest = this.#keeper.digestOf(tenant, flowId);
    const { flow, identity: owner } = await this.#flows.findWithIdentity(
      { tenantId: tenant.id },
      "settings",
      digest,
    );
    const entered = await this.#keeper.enter(caller, this.#shapeOf(tenant, owner), flow, submission);
    if (entered.kind === "expired") return entered;
    const holder = await this.#holderOf(caller, entered.record, flowId, owner);
    const { record, identity } = holder;

    if (record.data.pending !== undefined) return this.#submitProof(caller, holder, step);
    const method = this.#methods.get(step.name);
    if (method !== undefined) {
      const identifiers = identity.identifiers.map(({ value }) => value);
      const changed = await method.changeSecret(tenant, step, { traits: identity.traits, identifiers });
      if (changed.kind === "rejected") return this.#rejected(caller, holder, changed);
      const keepOtherSessions = step.fields.keepOtherSessions === true;
      return this.#apply(caller, holder, { kind: "password", password: changed.password, keepOtherSessions });
    }
    // Security rule: what follows a recovery is a new secret, and nothing else before it.
    if (record.data.recovery !== undefined) throw domainError("STEP_NOT_OFFERED", { step: step.name });
    if (step.name === "profile") return this.#apply(caller, holder, { kind: "profile", traits });
    if (step.name === "resume" && record.data.interrupted !== undefined) {
      return this.#apply(caller, holder, record.data.interrupted);
    }
    throw domainError("STEP_NOT_OFFERED", { step: step.name });
  }

  async #submitProof(caller: FlowCaller, holder: Holder, step: SubmittedStep): Promise<SettingsOutcome> {
    const { tenant } = caller;
    const { record, flowId, identity } = holder;
    const result = await this.#proofs.submit(caller, record, step);
    if (result.kind === "moved") {
      return this.#keeper.nextStep(caller, this.#shapeOf(tenant, identity), flowId, result.record);
    }
    if (result.kind === "rejected") return this.#rejected(caller, holder, result);
    const plan = this.#plan(tenant, identity, record.data.traits ?? {});
    if (plan.kind === "rejected") return this.#rejected(caller, holder, plan);
    const [held] = result.held;
    const current = { ...holder, record: { ...record, revision: held?.revision ?? record.revision } };
    return this.#saveProfile(caller, current, plan, result.target);
  }

  /** Carries out a change that was checked, or asks for a fresh login first, and keeps it until then. */
  async #apply(caller: FlowCaller, holder: Holder, change: SettingsChange): Promise<SettingsOutcome> {
    const { tenant } = caller;
    if (change.kind === "password") {
      if (!this.#isPrivileged(tenant, holder)) return this.#loginRequired(caller, holder, change);
      return this.#savePassword(caller, holder, change);
    }
    const plan = this.#plan(tenant, holder.identity, change.traits);
    if (plan.kind === "rejected") return this.#rejected(caller, holder, plan, change.traits);
    // Security rule: what somebody signs in or is recovered with changes only after a fresh login (ASVS V7.5.1).
    if (plan.isSensitive && !this.#isPrivileged(tenant, holder))
      return this.#loginRequired(caller, holder, change);
    if (plan.added.length > 1) return this.#rejected(caller, holder, oneAddressAtATime(), change.traits);
    const [added] = plan.added;
    if (added === undefined || !this.#proofs.offered(tenant, "settings").includes("code")) {
      return this.#saveProfile(caller, holder, plan, undefined);
    }
    return this.#proveAddress(caller, holder, change.traits, { added, plan });
  }

  /**
   * Sends a code to a new address; nothing changes before it is entered. A taken one is answered like a free one, and its
   * owner is told.
   */
  async #proveAddress(
    caller: FlowCaller,
    holder: Holder,
    traits: JsonObject,
    {
      added,
      plan,
    }: {
      readonly added: Pick<ProofTarget, "kind" | "value">;
      readonly plan: Extract<ProfilePlan, { kind: "planned" }>;
    },
  ): Promise<SettingsOutcome> {
    const { tenant } = caller;
    const { record, flowId, identity } = holder;
    const address = { ...added, identityId: identity.id };
    const isTaken = (await this.#flows.takenIdentifiers({ tenantId: tenant.id }, [added.value])).length > 0;
    if (isTaken && !tenant.settings.enumerationSafe) {
      return this.#rejected(caller, holder, identifiersTaken(plan.derived, new Set([added.value])), traits);
    }
    const instead = { template: "registration_taken", data: {}, recipient: added } as const;
    const next = await this.#proofs.request(caller, record, {
      kind: "code",
      sentTo: added.value,
      target: isTaken ? undefined : address,
      ...(isTaken && { instead }),
      data: { traits },
    });
    return this.#keeper.nextStep(caller, this.#shapeOf(tenant, identity), flowId, next);
  }

  async #saveProfile(
    caller: FlowCaller,
    holder: Holder,
    plan: Extract<ProfilePlan, { kind: "planned" }>,
    verified: ProofTarget | undefined,
  ): Promise<SettingsOutcome> {
    const { tenant, origin } = caller;
    const { record, flowId, identity, session } = holder;
    const at = this.#clock.now();
    const after = changedIdentity(identity, plan, verified, at);
    const [added] = plan.added;
    const told = added === undefined ? [] : verifiedAddresses(identity);
    const content = {
      template: "address_changed",
      data: { new_address_masked: added === undefined ? "" : maskAddress(added) },
    } as const;
    const event = { identityId: identity.id, data: { fields: ["traits"], by: "owner" } };
    const result = await this.#flows.changeProfile(
      { tenantId: tenant.id },
      {
        held: { digest: record.digest, revision: record.revision },
        identity: after,
        expectedRevision: identity.revision,
        endsOthers: plan.isSensitive,
        keep: session?.id,
        at,
        messages: noticesTo(this.#outbox, identity, content, {
          at,
          language: record.data.language ?? "",
          to: told,
        }),
        events: [newEvent("identity.updated", at, origin, event)],
        revocationEvent: this.#revocation(origin, identity, at),
      },
    );
    if (result === "flow_taken") throw await this.#keeper.taken(tenant, record);
    if (result === "identity_changed") throw domainError("FLOW_CHANGED", {});
    if (result === "identifier_taken") return this.#rejected(caller, holder, identifiersTaken(plan.derived));
    return this.#saved(caller, record, flowId, after);
  }

  async #savePassword(
    caller: FlowCaller,
    { record, flowId, identity, session }: Holder,
    change: Extract<SettingsChange, { kind: "password" }>,
  ): Promise<SettingsOutcome> {
    const { tenant, origin } = caller;
    const at = this.#clock.now();
    const { recovery } = record.data;
    const issued =
      recovery &&
      newSession(this.#tokens, tenant, identity.id, {
        client: record.client,
        methods: [{ ...recovery, completedAt: at }],
        origin,
        at,
      });
    const about = { identityId: identity.id, sessionId: issued?.session.id };
    const events = [
      newEvent("credential.set", at, origin, { identityId: identity.id, data: { kind: "password" } }),
    ];
    if (issued !== undefined) events.push(newEvent("session.created", at, origin, about));
    const result = await this.#flows.changePassword(
      { tenantId: tenant.id },
      {
        held: { digest: record.digest, revision: record.revision },
        completes: issued !== undefined,
        identityId: identity.id,
        password: change.password,
        session: issued?.session,
        keep: change.keepOtherSessions && recovery === undefined ? "all" : session?.id,
        at,
        messages: noticesTo(
          this.#outbox,
          identity,
          { template: "password_changed", data: {} },
          { at, language: record.data.language ?? "" },
        ),
        events,
        revocationEvent: this.#revocation(origin, identity, at),
      },
    );
    if (result === "flow_taken") throw await this.#keeper.taken(tenant, record);
    if (issued === undefined) return this.#saved(caller, record, flowId, identity);
    const { client, returnTo } = record;
    return { kind: "completed", completed: { identity, session: { ...issued, client }, returnTo } };
  }

  /** Keeps the change, and begins the login that it waits for. */
  async #loginRequired(
    caller: FlowCaller,
    { record, flowId, identity, session }: Holder,
    change: SettingsChange,
  ): Promise<SettingsOutcome> {
    const { tenant } = caller;
    if (session === undefined) throw domainError("SESSION_CREDENTIAL_MISSING", {});
    const data = { ...record.data, interrupted: change };
    const held = { digest: record.digest, revision: record.revision };
    const advance = { data, challenge: undefined, identityId: identity.id, messages: [], events: [] };
    const advanced = await this.#flows.advance({ tenantId: tenant.id }, held, advance);
    if (!advanced) throw await this.#keeper.taken(tenant, record);
    const { client, returnTo } = record;
    const loginFlow = await this.#logins.createRefresh(caller, { client, returnTo, session });
    const waiting = { ...record, revision: record.revision + 1, data };
    const flow = this.#keeper.presentTo(caller, this.#shapeOf(tenant, identity), flowId, waiting);
    return { kind: "login_required", loginFlow, flow };
  }

  /**
   * Who uses the flow. Security rule: a settings flow is only good together with a session of its owner; a stolen id
   * alone opens nothing. After a recovery the flow itself stands for the proof that was given.
   */
  async #holderOf(
    caller: FlowCaller,
    record: FlowRecord,
    flowId: string,
    identity: Identity | undefined,
  ): Promise<Holder> {
    if (record.data.recovery !== undefined) {
      if (identity?.state !== "active") throw domainError("FLOW_NOT_FOUND", {});
      return { record, flowId, identity, session: undefined };
    }
    const { session } = await caller.session();
    if (identity === undefined || session.identityId !== identity.id) throw domainError("FLOW_NOT_FOUND", {});
    return { record, flowId, identity, session };
  }

  #isPrivileged(tenant: Tenant, { record, session }: Holder): boolean {
    if (record.data.recovery !== undefined) return true;
    const age = session && this.#clock.now().getTime() - session.authenticatedAt.getTime();
    return age !== undefined && age <= tenant.settings.settings.privilegedMs;
  }

  #plan(tenant: Tenant, identity: Identity, traits: JsonObject): ProfilePlan | StepRejected {
    const schema = this.#schemas.current({ tenantId: tenant.id }, identity.schemaId);
    const validated = schema.validate(traits);
    if (!validated.valid) return traitsInvalid(validated.violations);
    return planProfileChange(identity, schema, traits, validated.derived);
  }

  #saved(caller: FlowCaller, record: FlowRecord, flowId: string, identity: Identity): SettingsOutcome {
    const shape = this.#shapeOf(caller.tenant, identity);
    const saved = { ...record, revision: record.revision + 1, data: {}, challenge: undefined };
    const form = { ...shape.form(caller.tenant, saved), messages: [messages.settingsSaved()] };
    const flow = this.#keeper.presentTo(caller, shape, flowId, saved, form);
    return { kind: "saved", flow, identity };
  }

  #rejected(
    caller: FlowCaller,
    { record, flowId, identity }: Holder,
    rejected: StepRejected,
    traits?: JsonObject,
  ): FlowOutcome<never> {
    const shape = this.#shapeOf(caller.tenant, traits === undefined ? identity : { ...identity, traits });
    return this.#keeper.rejected(caller, shape, flowId, record, rejected);
  }

  #revocation(origin: FlowCaller["origin"], identity: Identity, at: Date) {
    const data = { reason: "credential_changed", all: true };
    return newEvent("session.revoked", at, origin, { identityId: identity.id, data });
  }

  #shapeOf(tenant: Tenant, identity: Identity | undefined) {
    const schema = identity && this.#schemas.current({ tenantId: tenant.id }, identity.schemaId);
    return settingsShape([...this.#methods.values()], this.#proofs, schema, identity);
  }
}
