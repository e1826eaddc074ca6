/** What all changes of settings have in common. */
import { domainError } from "../../errors.ts";
import type { CallOrigin } from "../../event/event.ts";
import * as texts from "../../user-message/user-messages.ts";
import type { FlowData } from "../shared/flow.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import type { AttemptOf, RecordOf } from "../shared/table.ts";
import type { SettingsPurpose, SettingsState, SettingsTypes } from "./state.ts";
import type { OwnChange, OwnChangeResult } from "./store.ts";

/** A step of a settings flow. */
export type SettingsAttempt = AttemptOf<SettingsTypes>;

/** Where a settings flow begins, and where it stands again after a change. */
export function firstState({
  kind,
}: Exclude<SettingsPurpose, { kind: "create_passkey" }>): Extract<
  SettingsState,
  { at: "change_settings" | "set_new_secret" }
> {
  return { at: kind === "recovery" ? "set_new_secret" : "change_settings" };
}

/** The state at which the changes of a settings flow are on offer. */
export function choiceOf(state: SettingsState): "change_settings" | "set_new_secret" {
  return state.at === "set_new_secret" || state.at === "continue_new_secret"
    ? "set_new_secret"
    : "change_settings";
}

/** Where a change comes from that the holder of a settings flow makes: nobody but the owner of the account. */
export function ownOrigin({ caller, identity }: SettingsAttempt): CallOrigin {
  return { ...caller.origin, actor: { kind: "identity", identityId: identity.id } };
}

/** What a change writes of its flow: its data, and the outcome that it keeps for a page that is loaded again. `said`: as its answer says it. */
export function writtenOf(
  engine: FlowEngine,
  { flow }: SettingsAttempt,
  said?: texts.SavedChange,
): Pick<OwnChange, "held" | "kept" | "data"> {
  const next = { ...flow, revision: flow.revision + 1, data: dataAfter(flow) };
  return {
    held: { digest: flow.digest, revision: flow.revision },
    kept: isForOneChange(flow) ? undefined : engine.keepSuccess(next, texts.settingsSaved(said)),
    data: next.data,
  };
}

/** Whether a flow is over with its first change: after a recovery, and where a login offered a passkey. */
export function isForOneChange({ data }: RecordOf<SettingsTypes>): boolean {
  return data.purpose.kind !== "settings";
}

/** The flow after a change. */
export function flowAfter(flow: RecordOf<SettingsTypes>): RecordOf<SettingsTypes> {
  return { ...flow, revision: flow.revision + 1, data: dataAfter(flow), challenge: undefined };
}

/** Throws FLOW_CHANGED, FLOW_COMPLETED for a change that was not written. */
export async function assertWritten(
  engine: FlowEngine,
  { tenant, flow }: SettingsAttempt,
  result: OwnChangeResult,
): Promise<void> {
  if (result === "flow_taken") throw await engine.taken(tenant, flow);
  if (result === "identity_changed") throw domainError("FLOW_CHANGED", {});
}

/** What waited, or was typed, is over. The purpose stays: if the answer gets lost, its holder has no other proof. */
function dataAfter({ data }: RecordOf<SettingsTypes>): FlowData<SettingsState, SettingsPurpose> {
  const { purpose } = data;
  return { ...data, state: purpose.kind === "create_passkey" ? data.state : firstState(purpose) };
}
