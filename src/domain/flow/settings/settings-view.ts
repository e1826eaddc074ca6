import { domainError } from "../../errors.ts";
import type { CallOrigin } from "../../event/event.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { Identity } from "../../identity/identity.ts";
import { changeBetween } from "../../identity/merge-patch.ts";
import type { IdentitySchemas } from "../../identity/schemas.ts";
import type { TraitsEtags } from "../../identity/traits-etags.ts";
import type { JsonObject } from "../../json.ts";
import type { FlowClient } from "../../kinds.ts";
import * as messages from "../../message/message.ts";
import type { SettingsMethod } from "../../method/method.ts";
import type { Session } from "../../session/session.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { AddressProofs } from "../challenge/address-proofs.ts";
import { recoveryShape } from "../recovery/recovery-form.ts";
import type {
  CreatedFlow,
  Flow,
  FlowCaller,
  FlowCompleted,
  FlowData,
  FlowOutcome,
  FlowRecord,
  LoginComesFirst,
} from "../shared/flow.ts";
import type { FlowKeeper, FlowShape } from "../shared/flow-keeper.ts";
import { settingsShape } from "./settings-form.ts";
import type { PasswordChange } from "./settings-store.ts";

/**
 * Who uses a settings flow, and what of: their account, and the session that they hold. After a recovery none, unless a second
 * factor is wanted: then the one that came of it, once it was shown.
 */
export interface SettingsHolder {
  readonly record: FlowRecord;
  readonly flowId: string;
  readonly identity: Identity;
  readonly session: Session | undefined;
}

/** What came of a submit to a settings flow. */
export type SettingsOutcome =
  | FlowOutcome<{
      readonly identity: Identity;
      readonly session: Pick<FlowCompleted, "session" | "token" | "client" | "device">;
      readonly returnTo: string | undefined;
    }>
  | { readonly kind: "saved"; readonly flow: Flow; readonly identity: Identity }
  | LoginComesFirst
  | {
      readonly kind: "deletion_scheduled";
      readonly deleteAt: Date;
      readonly client: FlowClient;
      readonly returnTo: string | undefined;
    };

/** Where a change comes from that the holder of a settings flow makes: nobody but the owner of the account. */
export function ownOrigin({ origin }: FlowCaller, { identity }: SettingsHolder): CallOrigin {
  return { ...origin, actor: { kind: "identity", identityId: identity.id } };
}

/** What the holder of a settings flow sees of it. */
export class SettingsView {
  readonly #keeper: FlowKeeper;
  readonly #schemas: IdentitySchemas;
  readonly #methods: readonly SettingsMethod[];
  readonly #proofs: AddressProofs;
  readonly #etags: TraitsEtags;

  constructor(dependencies: {
    readonly keeper: FlowKeeper;
    readonly schemas: IdentitySchemas;
    readonly methods: readonly SettingsMethod[];
    readonly proofs: AddressProofs;
    readonly etags: TraitsEtags;
  }) {
    this.#keeper = dependencies.keeper;
    this.#schemas = dependencies.schemas;
    this.#methods = dependencies.methods;
    this.#proofs = dependencies.proofs;
    this.#etags = dependencies.etags;
  }

  /** The form of an account; without one, that of a new secret. */
  shapeOf(tenant: Tenant, identity: Identity | undefined): FlowShape {
    const schema = identity && this.#schemas.current({ tenantId: tenant.id }, identity.schemaId);
    return settingsShape(this.#methods, this.#proofs, this.#etags, schema, identity);
  }

  /**
   * The flow that takes the place of an expired one. A recovery's was good for the proof that was given then: the proof is
   * given again, in a recovery. Throws RECOVERY_DISABLED where nobody can begin one.
   */
  beginAgain(caller: FlowCaller, { record, flowId, identity }: SettingsHolder): Promise<CreatedFlow> {
    const { tenant } = caller;
    const { client, returnTo } = record;
    if (record.data.recovery === undefined) {
      return this.#keeper.replace(caller, this.shapeOf(tenant, identity), flowId, record);
    }
    if (!tenant.settings.recovery.enabled) throw domainError("RECOVERY_DISABLED", {});
    return this.#keeper.replaceBy(caller, recoveryShape(this.#proofs), flowId, {
      client,
      returnTo,
      data: {},
    });
  }

  /** The flow after a change: its data, and the outcome that it keeps for a page that is loaded again. */
  afterChange(
    { tenant }: FlowCaller,
    { record, identity }: SettingsHolder,
  ): Pick<PasswordChange, "kept" | "data"> {
    const next = { ...record, revision: record.revision + 1, data: remainingData(record) };
    const shape = this.shapeOf(tenant, identity);
    // After a recovery the change completes the flow.
    const isOver = record.data.recovery !== undefined;
    const kept = isOver ? undefined : this.#keeper.keepSuccess(tenant, shape, next, messages.settingsSaved());
    return { kept, data: next.data };
  }

  /** The outcome of a change that was made; the flow goes on with what holds now. */
  saved(caller: FlowCaller, { record, flowId }: SettingsHolder, identity: Identity): SettingsOutcome {
    const shape = this.shapeOf(caller.tenant, identity);
    const data = remainingData(record);
    const saved = { ...record, revision: record.revision + 1, data, challenge: undefined };
    const form = shape.form(caller.tenant, saved);
    const drawn = { ...form, messages: [messages.settingsSaved(), ...form.messages] };
    return { kind: "saved", flow: this.#keeper.presentTo(caller, shape, flowId, saved, drawn), identity };
  }

  /** The outcome of a step that leaves more to do. */
  nextStep(caller: FlowCaller, { flowId, identity }: SettingsHolder, record: FlowRecord): SettingsOutcome {
    return this.#keeper.nextStep(caller, this.shapeOf(caller.tenant, identity), flowId, record);
  }

  /** The outcome of a step that was not accepted; `traits` are the account's with what was filled in. */
  rejected(
    caller: FlowCaller,
    { record, flowId, identity }: SettingsHolder,
    rejected: StepRejected,
    traits: JsonObject = identity.traits,
  ): Promise<SettingsOutcome> {
    const { patch } = changeBetween(identity.traits, traits);
    const typed = Object.keys(patch).length === 0 ? {} : { traits: patch };
    const shape = this.shapeOf(caller.tenant, identity);
    return this.#keeper.rejected(caller, shape, flowId, record, rejected, typed);
  }
}

/** The data that a settings flow keeps after a change. */
function remainingData({ data }: FlowRecord): FlowData {
  const { language, clientData, requests, recovery } = data;
  return {
    ...(language !== undefined && { language }),
    ...(clientData && { clientData }),
    ...(requests && { requests }),
    // If the answer gets lost, its holder has no other proof that the flow was theirs.
    ...(recovery && { recovery }),
  };
}
