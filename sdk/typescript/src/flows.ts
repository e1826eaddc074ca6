// SPDX-License-Identifier: Apache-2.0
import { ClientKind, type Flow } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import type { Ostiary } from "./client.ts";
import { assertFlowClient } from "./client-kind.ts";
import { type OptionNames, refuseUnknownOptions } from "./options.ts";

/** The kinds of flows, by the names of their services. */
export type FlowName = keyof typeof calls;

/** What a flow is begun with. */
export interface FlowStart {
  readonly client: ClientKind;
  /** Where the browser should go afterwards. */
  readonly returnTo?: string | undefined;
  /** The token of a link that was opened; of all kinds but settings, which sends none. */
  readonly linkToken?: string | undefined;
  /** The token of an invitation, `ost_inv_…`; of a registration. */
  readonly invitationToken?: string | undefined;
}

type FlowAnswer = Promise<{ readonly flow?: Flow | undefined }>;

interface CompleteStart {
  readonly client: ClientKind;
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

const startNames: OptionNames<FlowStart> = {
  client: true,
  returnTo: true,
  linkToken: true,
  invitationToken: true,
};

/** Begins a flow of any kind. Rejects with a TypeError for a kind or an option that there is not. */
export async function createFlow(ostiary: Ostiary, name: FlowName, start: FlowStart): Promise<Flow> {
  refuseUnknownOptions("createFlow", start, startNames);
  const { client, returnTo = "", linkToken = "", invitationToken = "" } = start;
  return flowOf(await callsOf(name).create(ostiary, { client, returnTo, linkToken, invitationToken }));
}

/**
 * Finds a flow of any kind again, for example after a page was loaded anew. Throws a FlowClientError for a flow of another kind of
 * client than `client`, which only a native app sets: a link may lead to a flow that somebody else has begun.
 */
export async function getFlow(
  ostiary: Ostiary,
  name: FlowName,
  flowId: string,
  client: ClientKind = ClientKind.BROWSER,
): Promise<Flow> {
  const flow = flowOf(await callsOf(name).get(ostiary, flowId));
  assertFlowClient(flow, client);
  return flow;
}

function callsOf(name: FlowName): FlowCalls {
  if (!Object.hasOwn(calls, name)) throw new TypeError(`there is no kind of flow "${name}"`);
  return calls[name];
}

function flowOf({ flow }: { readonly flow?: Flow | undefined }): Flow {
  if (flow === undefined) throw new Error("the server answered without a flow");
  return flow;
}
