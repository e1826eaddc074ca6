import type { MethodKind } from "../../kinds.ts";
import type { VouchedAccount } from "../../method/method.ts";
import type { LoginFlows } from "../login/login-flows.ts";
import type { RecoveryFlows } from "../recovery/recovery-flows.ts";
import type { RegistrationFlows } from "../registration/registration-flows.ts";
import type { AnyState, FlowCaller, FlowRecord } from "../shared/flow.ts";
import type { Moved } from "../shared/table.ts";
import type { Belonging } from "./account-links.ts";

/** The flows that somebody can go on in who came by an account elsewhere. */
interface Kinds {
  readonly login: Pick<LoginFlows, "draftToLink" | "draftVouched">;
  readonly registration: Pick<RegistrationFlows, "draftVouched">;
  readonly recovery: Pick<RecoveryFlows, "draftClaim">;
}

/**
 * Where somebody goes on who came by an account elsewhere, where that is another flow than the one that they came in: a registration
 * for those who have no account here, a login for those who have one, the question whose it is where nobody has claimed it.
 */
export class OtherFlows {
  readonly #kinds: () => Kinds;

  /** `kinds`: asked for at the first use, because they are made of this as well. */
  constructor(kinds: () => Kinds) {
    this.#kinds = kinds;
  }

  /** Begins the other flow. It is stored with the step, which uses up what was shown: nothing is shown twice. */
  goOn(
    caller: FlowCaller,
    flow: FlowRecord,
    by: MethodKind,
    vouched: VouchedAccount,
    belonging: Belonging,
  ): Pick<Moved<AnyState>, "begins" | "goesOn"> {
    const { client, returnTo, data } = flow;
    const { clientData, oauth2 } = data;
    const start = { client, returnTo, clientData, oauth2 };
    const { login, registration, recovery } = this.#kinds();
    switch (belonging.kind) {
      case "linked":
      case "decided":
        return login.draftVouched(caller, start, by, vouched);
      case "held": {
        const { record, created } = login.draftToLink(caller, start, belonging.identityId, vouched);
        return { begins: record, goesOn: async () => ({ kind: "next_step", flow: created.flow }) };
      }
      case "unclaimed": {
        // A recovery answers no OAuth2 server.
        const own = oauth2 === undefined ? start : { client, returnTo: undefined, clientData };
        const { record, created } = recovery.draftClaim(caller, own, belonging.target, by);
        return { begins: record, goesOn: async () => ({ kind: "next_step", flow: created.flow }) };
      }
      case "stranger":
        return registration.draftVouched(caller, start, by, vouched);
      default:
        return belonging satisfies never;
    }
  }
}
