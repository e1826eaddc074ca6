// SPDX-License-Identifier: Apache-2.0
import { ClientKind, type Flow } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import type { Ostiary } from "./client.ts";
import { assertFlowClient } from "./client-kind.ts";
import { type OptionNames, refuseUnknownOptions } from "./options.ts";

/** The kinds of flows, by the names of their services. */
export type FlowName = keyof typeof createCalls;

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

type CreateCall = (ostiary: Ostiary, start: CompleteStart) => FlowAnswer;

/** How a flow of each kind is begun. */
const createCalls = {
  login: (ostiary, start) => ostiary.login.createLoginFlow(start),
  registration: (ostiary, start) => ostiary.registration.createRegistrationFlow(start),
  verification: (ostiary, start) => ostiary.verification.createVerificationFlow(start),
  recovery: (ostiary, start) => ostiary.recovery.createRecoveryFlow(start),
  settings: (ostiary, { client, returnTo }) => ostiary.settings.createSettingsFlow({ client, returnTo }),
} as const satisfies Record<string, CreateCall>;

const startNames: OptionNames<FlowStart> = {
  client: true,
  returnTo: true,
  linkToken: true,
  invitationToken: true,
};

/** Begins a flow of any kind. Rejects with a TypeError for a kind or an option that there is not. */
export async function createFlow(ostiary: Ostiary, name: FlowName, start: FlowStart): Promise<Flow> {
  refuseUnknownOptions("createFlow", start, startNames);
  if (!Object.hasOwn(createCalls, name)) throw new TypeError(`there is no kind of flow "${name}"`);
  const { client, returnTo = "", linkToken = "", invitationToken = "" } = start;
  return flowOf(await createCalls[name](ostiary, { client, returnTo, linkToken, invitationToken }));
}

/** A flow that was asked for again. */
export interface FoundFlow {
  readonly flow: Flow;
  /**
   * Whether the flow that was asked for had expired, and this is a fresh one in its place. In place of the settings after a
   * recovery it is a recovery: `flow.kind` says which page draws it.
   */
  readonly replaced: boolean;
}

/**
 * Finds a flow of any kind again, for example after a page was loaded anew. Throws a FlowClientError for a flow of another kind of
 * client than `client`, which only a native app sets: a link may lead to a flow that somebody else has begun.
 */
export async function getFlow(
  ostiary: Pick<Ostiary, "flows">,
  flowId: string,
  client: ClientKind = ClientKind.BROWSER,
): Promise<FoundFlow> {
  const answer = await ostiary.flows.getFlow({ flowId });
  const flow = flowOf(answer);
  assertFlowClient(flow, client);
  return { flow, replaced: answer.replaced };
}

/** The flow of an answer that always has one. */
export function flowOf({ flow }: { readonly flow?: Flow | undefined }): Flow {
  if (flow === undefined) throw new Error("the server answered without a flow");
  return flow;
}
