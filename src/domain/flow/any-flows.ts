import { domainError } from "../errors.ts";
import type { FilledForm } from "../form/form-submission.ts";
import type { FlowKind } from "../kinds.ts";
import type { ReceivedCallback } from "../provider/callback.ts";
import type { LoginFlows } from "./login/login-flows.ts";
import type { RecoveryFlows } from "./recovery/recovery-flows.ts";
import type { RegistrationFlows } from "./registration/registration-flows.ts";
import type { SettingsFlows } from "./settings/settings-flows.ts";
import type { FlowCaller, FlowFound } from "./shared/flow.ts";
import type { FlowAccess } from "./shared/flow-access.ts";
import type { FlowStore } from "./shared/store.ts";
import type { VerificationFlows } from "./verification/verification-flows.ts";

/** The flows of each kind, for a flow that was found by its id alone. */
interface FlowsByKind {
  readonly login: LoginFlows;
  readonly registration: RegistrationFlows;
  readonly verification: VerificationFlows;
  readonly recovery: RecoveryFlows;
  readonly settings: SettingsFlows;
}

/** The outcome of a form, by the kind of its flow. */
export type FormOutcome = {
  readonly [Kind in FlowKind]: {
    readonly kind: Kind;
    readonly outcome: Awaited<ReturnType<FlowsByKind[Kind]["submit"]>>;
  };
}[FlowKind];

interface AnyFlowsDependencies {
  readonly access: FlowAccess;
  readonly flows: FlowStore;
  readonly kinds: FlowsByKind;
}

/** Flows of which only the id is known. */
export class AnyFlows {
  readonly #deps: AnyFlowsDependencies;

  constructor(deps: AnyFlowsDependencies) {
    this.#deps = deps;
  }

  /** The flow with this id, as its holder sees it. One round trip, and one more if a fresh flow is made in its place. */
  async get(caller: FlowCaller, flowId: string): Promise<FlowFound> {
    const digest = this.#deps.access.digestOf(caller.tenant, flowId);
    const { flow, ...owner } = await this.#deps.flows.findWithIdentity(caller.tenant, undefined, digest);
    if (flow === undefined) throw domainError("FLOW_NOT_FOUND", {});
    return this.#deps.kinds[flow.kind].show(caller, flowId, { flow, ...owner });
  }

  /**
   * Takes what a browser came back with from a provider, as the step of the flow that waits for it.
   *
   * Security rule (SR-SOCIAL-4): there is no form token, since no form was sent. What stands for it is `state`, which this server sealed for
   * this flow, and the cookie of the browser that began it: somebody else's answer signs nobody in (login CSRF).
   */
  async takeCallback(
    caller: FlowCaller,
    { kind, id: flowId }: { readonly kind: FlowKind; readonly id: string },
    callback: ReceivedCallback,
  ): Promise<FormOutcome> {
    const { kinds, access } = this.#deps;
    const step = { name: "oidc", fields: { callback } };
    const csrfToken = access.formTokenOfBrowser(caller, flowId)?.reveal() ?? "";
    const submission = { flowId, csrfToken, step, identifier: "", traits: {} };
    switch (kind) {
      case "login":
        return { kind, outcome: await kinds.login.submit(caller, submission) };
      case "registration":
        return { kind, outcome: await kinds.registration.submit(caller, submission) };
      case "settings":
        return { kind, outcome: await kinds.settings.submit(caller, { ...submission, traitsEtag: "" }) };
      default:
        throw domainError("FLOW_NOT_FOUND", {});
    }
  }

  /**
   * Carries out a filled-in form, as the submit of that kind of flow does. It takes as many round trips as that submit, because
   * one read serves all kinds.
   */
  async submit(caller: FlowCaller, filled: FilledForm): Promise<FormOutcome> {
    const kinds = this.#deps.kinds;
    const { flow, candidate } = await kinds.login.findForForm(caller, filled);
    if (flow === undefined) throw domainError("FLOW_NOT_FOUND", {});
    const { kind } = flow;
    const { identity, credentials = [] } = candidate ?? {};
    const read = { flow, identity, credentials };
    switch (kind) {
      case "login":
        return { kind, outcome: await kinds.login.submit(caller, filled, { flow, candidate }) };
      case "registration":
        return { kind, outcome: await kinds.registration.submit(caller, filled, read) };
      case "verification":
        return { kind, outcome: await kinds.verification.submit(caller, filled, read) };
      case "recovery":
        return { kind, outcome: await kinds.recovery.submit(caller, filled, read) };
      case "settings":
        return { kind, outcome: await kinds.settings.submit(caller, filled, read) };
      default: {
        const unreachable: never = kind;
        return unreachable;
      }
    }
  }
}
