import { domainError } from "../../errors.ts";
import { type FilledForm, submissionOf } from "../../form/form-submission.ts";
import type { FlowSubmission, SubmittedStep } from "../../form/submission.ts";
import { accountName } from "../../identity/account-name.ts";
import type { Credential, Identity } from "../../identity/identity.ts";
import { withoutWriteOnly } from "../../identity/own-traits.ts";
import type { IdentitySchemas } from "../../identity/schemas.ts";
import type { IdentityStore } from "../../identity/store.ts";
import type { TraitsEtags } from "../../identity/traits-etags.ts";
import type { IdentityId } from "../../ids.ts";
import type { JsonObject } from "../../json.ts";
import type { FlowClient, MethodKind } from "../../kinds.ts";
import { enabledMethods, type SettingsMethod } from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import type { Session } from "../../session/session.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import * as texts from "../../user-message/user-messages.ts";
import type {
  CreatedFlow,
  FirstFactor,
  Flow,
  FlowCaller,
  FlowFound,
  FlowOutcome,
  FlowRecord,
  ReadFlow,
} from "../shared/flow.ts";
import type { FlowAccess } from "../shared/flow-access.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import { type FlowView, viewOf } from "../shared/flow-view.ts";
import { ownSession } from "../shared/own-session.ts";
import type { SecondFactors } from "../shared/second-factors.ts";
import type { FlowStore } from "../shared/store.ts";
import type { FlowTable, RecordOf } from "../shared/table.ts";
import { firstState, flowAfter } from "./change.ts";
import type { GivenSession, SettingsPurpose, SettingsState, SettingsTypes } from "./state.ts";

/** What came of a submit to a settings flow. */
export type SettingsOutcome =
  | FlowOutcome
  | Exclude<SettingsTypes["Done"], { readonly kind: "changed" }>
  | {
      readonly kind: "saved";
      readonly flow: Flow;
      readonly identity: Identity;
      /** In the place of the one that the change was made in. */
      readonly session: GivenSession | undefined;
    };

/** What was submitted to a settings flow. */
export interface SettingsSubmission extends FlowSubmission {
  /** A merge patch of the traits. */
  readonly traits: JsonObject;
  /** The etag of the traits that the form was drawn from; empty if the client sent none. */
  readonly traitsEtag: string;
  readonly step: SubmittedStep;
}

/** How long a login's offer to make a passkey is good. */
const offerLifetimeMs = 5 * 60 * 1000;

type SettingsFlow = RecordOf<SettingsTypes>;

/** Whose account it is, and what they sign in with. */
interface Owner {
  readonly identity: Identity;
  /** Oldest first. */
  readonly credentials: readonly Credential[];
  /** Those that there were before a change that was just made. */
  readonly former?: readonly Credential[] | undefined;
}

/** Who uses a flow. */
interface Holder extends Owner {
  readonly session: Session | undefined;
}

interface SettingsFlowsDependencies {
  readonly access: FlowAccess;
  readonly engine: FlowEngine;
  readonly flows: Pick<FlowStore, "findWithIdentity">;
  readonly table: FlowTable<SettingsTypes>;
  readonly methods: readonly SettingsMethod[];
  readonly identities: Pick<IdentityStore, "credentialsOf">;
  readonly secondFactors: SecondFactors;
  readonly schemas: IdentitySchemas;
  readonly etags: TraitsEtags;
  /** What the holder of a recovery sees: it takes the place of the settings after one that have expired. */
  readonly recoveryView: () => FlowView;
  readonly clock: Clock;
}

/** Changing one's own account: who may. What may be done, and when, is the table in steps.ts. */
export class SettingsFlows {
  readonly #deps: SettingsFlowsDependencies;

  constructor(deps: SettingsFlowsDependencies) {
    this.#deps = deps;
  }

  /** Begins a settings flow of the caller's own account. Throws a SESSION_ reason without a session. */
  async create(
    caller: FlowCaller,
    start: {
      readonly client: FlowClient;
      readonly returnTo: string | undefined;
      readonly clientData?: JsonObject | undefined;
    },
  ): Promise<CreatedFlow> {
    const { access, engine } = this.#deps;
    access.assertClient(caller, start.client);
    const { identity } = await caller.session(start.client);
    const purpose: SettingsPurpose = { kind: "settings" };
    const credentials = await this.#deps.identities.credentialsOf(caller.tenant, identity.id);
    return engine.create(caller, this.#viewFor(caller.tenant, { identity, credentials }), {
      ...start,
      purpose,
      state: firstState(purpose),
      identityId: identity.id,
    });
  }

  /** The flow in which a recovered account gets its new secret, only to be stored. It needs no session. */
  draftAfterRecovery(
    caller: FlowCaller,
    start: {
      readonly client: FlowClient;
      readonly returnTo: string | undefined;
      readonly identityId: IdentityId;
      readonly recovery: FirstFactor;
      /** The address that was proven, if it signs in. */
      readonly username: string | undefined;
      readonly clientData?: JsonObject | undefined;
    },
  ) {
    const { recovery, username, ...rest } = start;
    const purpose: SettingsPurpose = { kind: "recovery", recovery, username };
    const view = this.#viewFor(caller.tenant, undefined);
    return this.#deps.engine.draft(caller, view, { ...rest, purpose, state: firstState(purpose) });
  }

  /**
   * The flow in which a login offers to make a passkey, only to be stored with that login; undefined where none is offered.
   *
   * Security rule (SR-PASSKEY-8): it is issued by a login just completed in full, and by nothing else. It is good once, for five
   * minutes at most, together with the session that the login gave, and for a registration response alone.
   */
  draftAfterLogin(
    caller: FlowCaller,
    start: {
      readonly client: FlowClient;
      readonly returnTo: string | undefined;
      readonly owner: Owner;
      readonly session: Pick<Session, "id" | "assuranceLevel" | "authenticationMethods">;
      /** The first proof of the login. */
      readonly by: MethodKind;
      readonly clientData?: JsonObject | undefined;
    },
  ) {
    const { owner, session, by, ...rest } = start;
    const { tenant } = caller;
    const { identity, credentials } = owner;
    // What is offered is taken with the proofs of this session: where more is asked for, it could only be refused.
    if (!this.#deps.secondFactors.isEnough(tenant, session, owner)) return undefined;
    const login = { tenant, by, name: accountName(identity), credentials };
    for (const method of enabledMethods(this.#deps.methods, tenant)) {
      const memory = method.offerAfterLogin?.(login);
      if (memory === undefined) continue;
      const purpose: SettingsPurpose = { kind: "create_passkey", session: session.id };
      const state: SettingsState = { at: "create_passkey", method: { kind: method.kind, memory } };
      return this.#deps.engine.draft(caller, this.#viewFor(tenant, owner), {
        ...{ ...rest, purpose, state, identityId: identity.id },
        mostLifetimeMs: Math.min(offerLifetimeMs, tenant.settings.settings.privilegedMs),
      });
    }
    return undefined;
  }

  /** The flow as its holder sees it, or a fresh one in its place. Throws a SESSION_ reason without a session. */
  async show(caller: FlowCaller, flowId: string, { flow, ...owner }: ReadFlow): Promise<FlowFound> {
    const { access, engine } = this.#deps;
    const held = access.hold(caller, flow);
    const record = own(held.record);
    const holder = await this.#holderOf(caller, record, owner);
    if (held.kind === "expired") {
      return { kind: "replaced", replacement: await this.#beginAgain(caller, flowId, record, holder) };
    }
    return engine.show(caller, this.#viewFor(caller.tenant, holder), flowId, record);
  }

  /** Carries out what was submitted. */
  async submit(
    caller: FlowCaller,
    submitted: SettingsSubmission | FilledForm,
    read?: ReadFlow,
  ): Promise<SettingsOutcome> {
    const { access, engine, table } = this.#deps;
    const { tenant } = caller;
    const { flowId } = submitted;
    const { flow: found, ...owner } = read ?? (await this.#find(tenant, flowId));
    const held = access.hold(caller, found);
    access.assertFormToken(caller, held.record, flowId, submitted.csrfToken);
    // Security rule (SR-FLOW-1): who it is comes before how far the flow has come. A flow that is over shows its owner's profile, too.
    const holder = await this.#holderOf(caller, own(held.record), owner);
    const { identity, credentials, session } = holder;
    const admitted = await engine.admit(held, submitted, () =>
      this.#beginAgain(caller, flowId, own(held.record), holder),
    );
    if (admitted.kind !== "entered") return admitted;
    const flow = own(admitted.record);
    const view = this.#viewFor(tenant, holder);
    const { step, traits, traitsEtag } = submissionOf(submitted, () => view.form(tenant, flow).nodes);
    const isPrivileged = this.#isPrivileged(tenant, flow, holder);
    const account = this.#accountOf(tenant, holder);
    const outcome = await engine.take<SettingsTypes>(table, view, {
      ...{ caller, tenant, flow, flowId, state: flow.data.state, step, traits, traitsEtag },
      ...{ account, identity, credentials, session, isPrivileged },
    });
    return outcome.kind === "changed"
      ? this.#saved(caller, flowId, flow, { credentials, ...outcome, former: credentials })
      : outcome;
  }

  /** The outcome of a change that was made; the flow goes on with what holds now. */
  #saved(
    caller: FlowCaller,
    flowId: string,
    flow: SettingsFlow,
    {
      session,
      said,
      ...owner
    }: Owner & { readonly session?: GivenSession; readonly said?: texts.SavedChange | undefined },
  ): SettingsOutcome {
    const { engine } = this.#deps;
    const { identity } = owner;
    const view = this.#viewFor(caller.tenant, owner);
    const next = flowAfter(flow);
    const form = view.form(caller.tenant, next);
    const drawn = { ...form, messages: [texts.settingsSaved(said), ...form.messages] };
    return { kind: "saved", flow: engine.presentTo(caller, view, flowId, next, drawn), identity, session };
  }

  /** What is seen of an account; without one, that of a new secret. */
  #viewFor(tenant: Tenant, owner: Owner | undefined): FlowView {
    const account = owner && this.#accountOf(tenant, owner);
    const identity = owner?.identity;
    const isShown = (flow: FlowRecord) => own(flow).data.purpose.kind !== "recovery";
    return viewOf<SettingsTypes>(
      this.#deps.table,
      (_tenant, flow) => ({ tenant, flow: own(flow), state: own(flow).data.state, account }),
      {
        kind: "settings",
        lifetimeMs: ({ settings }) => settings.settings.lifetimeMs,
        account: (flow) =>
          identity && isShown(flow)
            ? { identityId: identity.id, displayName: accountName(identity) }
            : undefined,
        traitsEtag: (flow) => (identity && isShown(flow) ? this.#deps.etags.make(identity) : undefined),
        readable: (_tenant, _flow, traits) => (account ? withoutWriteOnly(account.schema, traits) : {}),
        again: (_tenant, { client, returnTo, identityId, data: { clientData } }) => {
          const purpose: SettingsPurpose = { kind: "settings" };
          return { client, returnTo, identityId, clientData, purpose, state: firstState(purpose) };
        },
      },
    );
  }

  #accountOf(tenant: Tenant, { identity, credentials, former }: Owner) {
    return { identity, credentials, former, schema: this.#deps.schemas.current(tenant, identity.schemaId) };
  }

  /**
   * The flow that takes the place of an expired one. A recovery's was good for the proof that was given then: the proof is
   * given again, in a recovery. Throws RECOVERY_DISABLED where nobody can begin one.
   */
  #beginAgain(caller: FlowCaller, flowId: string, flow: SettingsFlow, owner: Owner): Promise<CreatedFlow> {
    const { engine, recoveryView } = this.#deps;
    const { tenant } = caller;
    // What follows an offer of a login is ordinary settings: they ask for a fresh login again.
    if (flow.data.purpose.kind !== "recovery") {
      return engine.replace(caller, this.#viewFor(tenant, owner), flowId, flow);
    }
    if (!tenant.settings.recovery.enabled) throw domainError("RECOVERY_DISABLED", {});
    const { client, returnTo, data } = flow;
    const { clientData } = data;
    const state = { at: "choose_method" } as const;
    const start = { client, returnTo, clientData, purpose: {}, state };
    return engine.replaceBy(caller, recoveryView(), flowId, start);
  }

  #find(tenant: Tenant, flowId: string) {
    const { access, flows } = this.#deps;
    return flows.findWithIdentity(tenant, "settings", access.digestOf(tenant, flowId));
  }

  /**
   * Who uses the flow. Security rule (SR-FLOW-1): a settings flow is only good together with a session of its owner; a stolen id
   * alone opens nothing. After a recovery the flow itself stands for the proof that was given; what is wanted beside it
   * shows in a session.
   */
  async #holderOf(
    caller: FlowCaller,
    { client, data: { purpose } }: SettingsFlow,
    { identity, credentials }: Pick<ReadFlow, "identity" | "credentials">,
  ): Promise<Holder> {
    if (purpose.kind === "recovery") {
      if (identity?.state !== "active") throw domainError("FLOW_NOT_FOUND", {});
      const isEnough = purpose.recovery.methods.length === 0;
      const session = isEnough ? undefined : await ownSession(caller, client, identity.id);
      return { identity, credentials, session };
    }
    const { session } = await caller.session(client);
    // Security rule (SR-PASSKEY-8): another session of the same account does not hold what a login has offered.
    if (purpose.kind === "create_passkey" && session.id !== purpose.session) {
      throw domainError("FLOW_NOT_FOUND", {});
    }
    if (identity !== undefined && session.identityId === identity.id)
      return { identity, credentials, session };
    // A browser has shown that the flow is its own: somebody else has signed in there, and their form is not to get what was
    // typed into this one. Of a native flow a stranger learns nothing.
    throw domainError(client === "browser" ? "FLOW_IDENTITY_MISMATCH" : "FLOW_NOT_FOUND", {});
  }

  /**
   * Whether the holder has shown lately, and as strongly as the account can be signed in to, who they are.
   *
   * Security rule (SR-FACTOR-7): a session from before a second factor was set up changes nothing that protects the account. Its holder
   * has shown less than a login asks for now.
   */
  #isPrivileged(
    tenant: Tenant,
    { data: { purpose } }: SettingsFlow,
    { identity, credentials, session }: Holder,
  ): boolean {
    // Security rule (SR-FACTOR-2): an account with a second factor shows it before a recovery changes anything.
    if (purpose.kind === "recovery") {
      if (purpose.recovery.methods.length === 0) return true;
      const isOneProof = session?.authenticationMethods.length === 1 && session.assuranceLevel === "aal1";
      if (isOneProof) return false;
    }
    if (session === undefined) return false;
    const { secondFactors, clock } = this.#deps;
    if (!secondFactors.isEnough(tenant, session, { identity, credentials })) return false;
    const age = clock.now().getTime() - session.authenticatedAt.getTime();
    return age <= tenant.settings.settings.privilegedMs;
  }
}

function own(flow: FlowRecord): SettingsFlow {
  return flow as SettingsFlow;
}
