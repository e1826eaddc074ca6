// SPDX-License-Identifier: Apache-2.0
import { Client, type Flow } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import type { Ostiary } from "./client.ts";
import { assertFlowClient } from "./client-kind.ts";

/** The kinds of flows, by the names of their services. */
export type FlowName = keyof typeof calls;

/** What a flow is begun with. */
export interface FlowStart {
  readonly client: Client;
  /** Where the browser should go afterwards. */
  readonly returnTo?: string | undefined;
  /** The token of a link that was opened; of all kinds but settings, which sends none. */
  readonly linkToken?: string | undefined;
  /** The token of an invitation, `ost_inv_…`; of a registration. */
  readonly invitationToken?: string | undefined;
}

type FlowAnswer = Promise<{ readonly flow?: Flow | undefined }>;

interface CompleteStart {
  readonly client: Client;
  readonly returnTo: string;
  readonly linkToken: string;
  readonly invitationToken: string;
}

interface FlowCalls {
  create(ostiary: Ostiary, start: CompleteStart): FlowAnswer;
  get(ostiary: Ostiary, flowId: string): FlowAnswer;
}

/** One entry for each kind of flow. */
const calls = {
  login: {
    create: (ostiary, start) => ostiary.login.createLoginFlow(start),
    get: (ostiary, flowId) => ostiary.login.getLoginFlow({ flowId }),
  },
  registration: {
    create: (ostiary, start) => ostiary.registration.createRegistrationFlow(start),
    get: (ostiary, flowId) => ostiary.registration.getRegistrationFlow({ flowId }),
  },
  verification: {
    create: (ostiary, start) => ostiary.verification.createVerificationFlow(start),
    get: (ostiary, flowId) => ostiary.verification.getVerificationFlow({ flowId }),
  },
  recovery: {
    create: (ostiary, start) => ostiary.recovery.createRecoveryFlow(start),
    get: (ostiary, flowId) => ostiary.recovery.getRecoveryFlow({ flowId }),
  },
  settings: {
    create: (ostiary, { client, returnTo }) => ostiary.settings.createSettingsFlow({ client, returnTo }),
    get: (ostiary, flowId) => ostiary.settings.getSettingsFlow({ flowId }),
  },
} as const satisfies Record<string, FlowCalls>;

/** Begins a flow of any kind. */
export async function createFlow(ostiary: Ostiary, name: FlowName, start: FlowStart): Promise<Flow> {
  const { client, returnTo = "", linkToken = "", invitationToken = "" } = start;
  return flowOf(await calls[name].create(ostiary, { client, returnTo, linkToken, invitationToken }));
}

/**
 * Finds a flow of any kind again, for example after a page was loaded anew. Throws a FlowClientError for a flow of another kind of
 * client than `client`, which only a native app sets: whoever opens a link may be shown somebody else's flow by it.
 */
export async function getFlow(
  ostiary: Ostiary,
  name: FlowName,
  flowId: string,
  client: Client = Client.BROWSER,
): Promise<Flow> {
  const flow = flowOf(await calls[name].get(ostiary, flowId));
  assertFlowClient(flow, client);
  return flow;
}

function flowOf({ flow }: { readonly flow?: Flow | undefined }): Flow {
  if (flow === undefined) throw new Error("the server answered without a flow");
  return flow;
}
