import { domainError } from "../../errors.ts";
import { completedEvents, without } from "../../identity/required-actions.ts";
import type { Clock } from "../../ports.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import type { StepResult } from "../shared/table.ts";
import { assertWritten, ownOrigin, type SettingsAttempt, writtenOf } from "./change.ts";
import type { SettingsTypes } from "./state.ts";
import type { SettingsStore } from "./store.ts";

interface ActionSettingsDependencies {
  readonly engine: FlowEngine;
  readonly store: SettingsStore;
  readonly clock: Clock;
}

/** Doing what is done by saying so: accepting a document. What else is asked for is done by its own part of the settings. */
export class ActionSettings {
  readonly #deps: ActionSettingsDependencies;

  constructor(deps: ActionSettingsDependencies) {
    this.#deps = deps;
  }

  /** Accepts the document that the step names. Throws FLOW_CHANGED, FLOW_COMPLETED. */
  async acceptTerms(attempt: SettingsAttempt): Promise<StepResult<SettingsTypes>> {
    const { tenant, identity, step } = attempt;
    const { engine, store, clock } = this.#deps;
    const done = identity.requiredActions.filter(
      ({ id, kind }) => kind === "accept_terms" && id === step.fields.actionId,
    );
    // What is accepted is what was read: what is asked for by now is shown first.
    if (done.length === 0) throw domainError("FLOW_CHANGED", {});
    const at = clock.now();
    const result = await store.completeActions(tenant, {
      ...writtenOf(engine, attempt),
      identityId: identity.id,
      at,
      doneActions: done.map(({ id }) => id),
      messages: [],
      events: completedEvents(identity.id, done, at, ownOrigin(attempt)),
    });
    await assertWritten(engine, attempt, result);
    return { kind: "changed", identity: { ...identity, requiredActions: without(identity, done) } };
  }
}
