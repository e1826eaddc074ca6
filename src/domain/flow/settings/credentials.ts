import type { Outbox } from "../../courier/outbox.ts";
import { domainError } from "../../errors.ts";
import { newEvent } from "../../event/event.ts";
import { button, endOtherSessionsNode, type Node } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { CredentialReleases } from "../../identity/credential-releases.ts";
import { type Credential, maxLabelLength } from "../../identity/identity.ts";
import { noticeOf, noticesTo, placeOf } from "../../identity/notices.ts";
import { completedEvents, doneBy, without } from "../../identity/required-actions.ts";
import { type LoginMethod, methodsPlaying } from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import * as texts from "../../user-message/factor-messages.ts";
import { saveLabel, type UserMessage } from "../../user-message/user-messages.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import type { SecondFactors } from "../shared/second-factors.ts";
import type { StepResult } from "../shared/table.ts";
import { assertWritten, ownOrigin, type SettingsAttempt, writtenOf } from "./change.ts";
import type { SettingsChange, SettingsTypes } from "./state.ts";
import { revocationOf, type SettingsStore } from "./store.ts";

type Result = Promise<StepResult<SettingsTypes>>;

interface CredentialSettingsDependencies {
  readonly engine: FlowEngine;
  readonly store: SettingsStore;
  readonly logins: readonly LoginMethod[];
  readonly secondFactors: SecondFactors;
  readonly releases: CredentialReleases;
  readonly outbox: Outbox;
  readonly clock: Clock;
}

/** Renames and removes a credential for its owner, and has logins ask for it or not. */
export class CredentialSettings {
  readonly #deps: CredentialSettingsDependencies;

  constructor(deps: CredentialSettingsDependencies) {
    this.#deps = deps;
  }

  /** The credential that a step names; undefined if the account does not have it, or not any more. */
  named({ step, credentials }: Pick<SettingsAttempt, "step" | "credentials">): Credential | undefined {
    return credentials.find(({ id }) => id === step.fields.credentialId);
  }

  /** Gives a credential another name. Throws FLOW_CHANGED, FLOW_COMPLETED. */
  async rename(attempt: SettingsAttempt): Result {
    const { tenant, identity, credentials, step } = attempt;
    const credential = this.named(attempt);
    if (credential === undefined) return credentialGone();
    const { engine, store, clock } = this.#deps;
    const label = String(step.fields.label ?? "").trim();
    const at = clock.now();
    const data = { kind: credential.kind, credentialId: credential.id };
    const result = await store.editCredential(tenant, {
      ...writtenOf(engine, attempt),
      identityId: identity.id,
      credentialId: credential.id,
      label,
      at,
      messages: [],
      events: [newEvent("credential.renamed", at, ownOrigin(attempt), { identityId: identity.id, data })],
    });
    await assertWritten(engine, attempt, result);
    const renamed = credentials.map((each) =>
      each === credential ? { ...each, label, updatedAt: at } : each,
    );
    return { kind: "changed", identity, credentials: renamed };
  }

  /**
   * The change that a step asks for: whether logins ask for a credential. Its owner can choose where the method signs in by itself as
   * well. Throws STEP_NOT_OFFERED.
   */
  secondFactorOf(
    attempt: SettingsAttempt,
  ): Extract<SettingsChange, { kind: "second_factor" }> | StepRejected {
    const credential = this.named(attempt);
    if (credential === undefined) return credentialGone();
    if (!this.hasChoice(attempt.tenant, credential)) {
      throw domainError("STEP_NOT_OFFERED", { step: attempt.step.name });
    }
    const enabled = attempt.step.fields.enabled === true;
    return { kind: "second_factor", credentialId: credential.id, enabled };
  }

  /** Whether the owner can choose if logins ask for a credential beside another proof. */
  hasChoice(tenant: Tenant, { kind }: Credential): boolean {
    return methodsPlaying("second", this.#deps.logins, tenant).some(
      ({ credential, factor }) => credential === kind && factor === "either",
    );
  }

  /**
   * Has logins ask for the credentials of a kind beside another proof, or not. The owner is told of a change. Throws FLOW_CHANGED,
   * FLOW_COMPLETED.
   */
  async setSecondFactor(
    attempt: SettingsAttempt,
    { credentialId, enabled }: Extract<SettingsChange, { kind: "second_factor" }>,
  ): Result {
    const { tenant, flow, identity, credentials } = attempt;
    const { engine, store, outbox, clock } = this.#deps;
    const credential = credentials.find(({ id }) => id === credentialId);
    if (credential === undefined) return credentialGone();
    const { kind } = credential;
    const at = clock.now();
    const origin = ownOrigin(attempt);
    const data = { kind, credentialId: credentialId, enabled };
    const told = {
      template: "second_factor_changed",
      data: { kind, enabled, ...placeOf(origin, at) },
    } as const;
    const isChange = credentials.some((own) => own.kind === kind && own.isSecondFactor !== enabled);
    const done = enabled ? doneBy(identity, "enrol_factor") : [];
    const result = await store.editCredential(tenant, {
      ...writtenOf(engine, attempt),
      identityId: identity.id,
      credentialId,
      secondFactor: { kind, isSecondFactor: enabled },
      at,
      messages: isChange ? noticesTo(outbox, identity, told, noticeOf(flow, at, origin)) : [],
      events: isChange
        ? [
            newEvent("credential.second_factor_changed", at, origin, { identityId: identity.id, data }),
            ...completedEvents(identity.id, done, at, origin),
          ]
        : [],
      doneActions: done.map(({ id }) => id),
    });
    await assertWritten(engine, attempt, result);
    const edited = credentials.map((own) =>
      own.kind === kind ? { ...own, isSecondFactor: enabled, updatedAt: at } : own,
    );
    const after = { ...identity, requiredActions: without(identity, done) };
    return { kind: "changed", identity: after, credentials: edited };
  }

  /** The removal of a credential that a step asks for, if it may be removed. */
  removalOf(attempt: SettingsAttempt): Extract<SettingsChange, { kind: "removal" }> | StepRejected {
    const credential = this.named(attempt);
    if (credential === undefined) return credentialGone();
    const endOtherSessions = attempt.step.fields.endOtherSessions === true;
    return { kind: "removal", credentialId: credential.id, endOtherSessions };
  }

  /** Removes a credential, and tells its owner. Throws FLOW_CHANGED, FLOW_COMPLETED. */
  async remove(attempt: SettingsAttempt, removal: Extract<SettingsChange, { kind: "removal" }>): Result {
    const { tenant, flow, identity, credentials, session } = attempt;
    const { engine, store, secondFactors, releases, outbox, clock } = this.#deps;
    const credential = credentials.find(({ id }) => id === removal.credentialId);
    if (credential === undefined) return credentialGone();
    const left = credentials.filter((each) => each !== credential);
    // Security rule (SR-SETTINGS-6): the last way in is not removed.
    if (!secondFactors.canSignIn(tenant, { identity, credentials: left })) return lastWayIn();
    if (isLastSecondFactor(secondFactors, tenant, credentials, left)) return lastSecondFactor();
    const { kind, label } = credential;
    const at = clock.now();
    const origin = ownOrigin(attempt);
    const data = { kind, credentialId: credential.id };
    const told = { kind, label, ...placeOf(origin, at) };
    const notice = { template: "credential_removed", data: told } as const;
    const said = { change: "removed", kind, label } as const;
    const release = await releases.prepare(tenant, identity.id, credential);
    const result = await store.removeCredential(tenant, {
      ...writtenOf(engine, attempt, said),
      identityId: identity.id,
      credentialId: credential.id,
      known: credentials.map(({ id }) => id),
      keep: removal.endOtherSessions ? session?.id : "all",
      at,
      messages: noticesTo(outbox, identity, notice, noticeOf(flow, at, origin)),
      events: [newEvent("credential.deleted", at, origin, { identityId: identity.id, data })],
      revocationEvent: revocationOf(identity.id, origin, at),
    });
    await assertWritten(engine, attempt, result);
    release();
    return { kind: "changed", identity, credentials: left, said };
  }
}

/** The nodes of a credential in the settings: when it was added and used, what is to be said of it, and the button to manage it. */
export function credentialNodes(
  credential: Credential,
  index: number,
  note: UserMessage | undefined,
): readonly Node[] {
  const { id, kind, label, createdAt, lastUsedAt } = credential;
  const added: Node = {
    name: `${kind}.${index}.added`,
    label: texts.manageTitle(kind, label),
    messages: [],
    element: { kind: "text", text: texts.credentialAdded(createdAt) },
  };
  const used: readonly Node[] =
    lastUsedAt === undefined
      ? []
      : [
          {
            name: `${kind}.${index}.used`,
            messages: [],
            element: { kind: "text", text: texts.credentialUsed(lastUsedAt) },
          },
        ];
  const noted: readonly Node[] =
    note === undefined
      ? []
      : [{ name: `${kind}.${index}.note`, messages: [], element: { kind: "text", text: note } }];
  const manage: Node = {
    name: "manageCredential.credentialId",
    step: "manageCredential",
    label: texts.manageLabel(kind, label),
    messages: [],
    element: { kind: "button", value: id, importance: "secondary", skipsRequired: true },
  };
  return [added, ...used, ...noted, manage];
}

/** The nodes that give a credential another name. */
export function renameNodes({ id, label }: Credential): readonly Node[] {
  const element = { kind: "input", type: "text", value: label, maxLength: maxLabelLength } as const;
  const name = nodeOf("renameCredential", "label", element, texts.credentialName());
  return [hiddenId("renameCredential", id), name, button("renameCredential", saveLabel())];
}

/** The nodes that have logins ask for a credential beside another proof, or not. */
export function secondFactorNodes({ id, isSecondFactor }: Credential): readonly Node[] {
  const label = isSecondFactor ? texts.askNoMore() : texts.askAsWell();
  const choice: Node = {
    name: "secondFactor.enabled",
    step: "secondFactor",
    label,
    messages: [],
    element: { kind: "button", value: !isSecondFactor, importance: "secondary" },
  };
  return [hiddenId("secondFactor", id), choice];
}

/** The nodes that remove a credential. */
export function removeNodes({ id }: Credential): readonly Node[] {
  const confirmation = texts.removeQuestion();
  const remove = button("removeCredential", texts.removeLabel());
  return [
    hiddenId("removeCredential", id),
    endOtherSessionsNode("removeCredential"),
    { ...remove, element: { kind: "button", danger: true, importance: "secondary", confirmation } },
  ];
}

function hiddenId(step: string, id: string): Node {
  return nodeOf(step, "credentialId", { kind: "input", type: "hidden", value: id });
}

function nodeOf(step: string, field: string, element: Node["element"], label?: UserMessage): Node {
  return { name: `${step}.${field}`, step, label, messages: [], element };
}

/** The rejection of a step about a credential that the account does not have. */
export function credentialGone(): StepRejected {
  return {
    kind: "rejected",
    reason: "CREDENTIAL_GONE",
    problems: { fields: [], form: [texts.credentialGone()] },
  };
}

/**
 * Whether a change would leave an account without a second factor where everybody needs one.
 *
 * Security rule (SR-FACTOR-9): it would have another period of grace then, and so on. Its owner sets up another one first.
 */
function isLastSecondFactor(
  secondFactors: SecondFactors,
  tenant: Tenant,
  before: readonly Credential[],
  after: readonly Credential[],
): boolean {
  if (tenant.settings.secondFactor.policy !== "required") return false;
  return secondFactors.isEnrolled(tenant, before) && !secondFactors.isEnrolled(tenant, after);
}

function lastSecondFactor(): StepRejected {
  const problems = { fields: [], form: [texts.lastSecondFactor()] };
  return { kind: "rejected", reason: "LAST_SECOND_FACTOR", problems };
}

function lastWayIn(): StepRejected {
  return { kind: "rejected", reason: "LAST_WAY_IN", problems: { fields: [], form: [texts.lastWayIn()] } };
}
