import type { MessageInitShape } from "@bufbuild/protobuf";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import {
  RegistrationService,
  type SubmitRegistrationFlowRequestSchema,
  type SubmitRegistrationFlowResponse,
} from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import type { JsonObject } from "../../src/domain/json.ts";
import { goodPassword } from "./accounts.ts";
import type { Protocol, TestApp } from "./app.ts";
import { tokenOf } from "./links.ts";

type Submission = MessageInitShape<typeof SubmitRegistrationFlowRequestSchema>;

/** The steps of a registration, by short names. */
export const steps = {
  profile: { case: "profile", value: {} },
  password: { case: "password", value: { password: goodPassword } },
  askForCode: { case: "sendCode", value: {} },
  askForLink: { case: "sendLink", value: {} },
  confirm: { case: "confirmLink", value: {} },
  resend: { case: "resend", value: {} },
  back: { case: "back", value: {} },
} as const satisfies Record<string, Submission["step"]>;

/** A native registration that was begun, or with a link's token goes on from it. */
export interface Registering {
  readonly flow: Flow;
  submit(step: Submission["step"], traits?: JsonObject): Promise<SubmitRegistrationFlowResponse>;
}

/** Begins a native registration. */
export async function beginRegistration(
  app: TestApp,
  { protocol = "Connect JSON", linkToken = "" }: { protocol?: Protocol; linkToken?: string } = {},
): Promise<Registering> {
  // Messages are told apart by their time, which stands still otherwise.
  app.clock.advance(1);
  const client = app.client(RegistrationService, { protocol });
  const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE, linkToken });
  if (flow === undefined) throw new Error("no flow was made");
  return {
    flow,
    submit: (step, traits) =>
      client.submitRegistrationFlow({ flowId: flow.id, step, ...(traits && { traits }) }),
  };
}

/** A registration that waits for its link, and the link's token. */
export async function sentRegistrationLink(
  app: TestApp,
  traits: JsonObject & { readonly email: string },
): Promise<Registering & { readonly token: string }> {
  const waiting = await beginRegistration(app);
  const answer = await waiting.submit(steps.askForLink, traits);
  if (answer.outcome.case !== "nextStep") throw new Error(`it was ${registrationResult(answer)}`);
  const { url = "" } = (await app.messages(traits.email)).at(-1) ?? {};
  return { ...waiting, token: tokenOf(url) };
}

/** What came of a submit: the reason of its rejection, or its outcome's name. */
export function registrationResult({ outcome }: SubmitRegistrationFlowResponse): string | undefined {
  return outcome.case === "rejected" ? RejectionReason[outcome.value.reason] : outcome.case;
}

/** The flow that a submit left to go on with. */
export function flowAfter({ outcome, flow: drawn }: SubmitRegistrationFlowResponse): Flow {
  const flow = outcome.case === "nextStep" || outcome.case === "rejected" ? drawn : undefined;
  if (flow === undefined) throw new Error(`no flow is left, it was ${outcome.case}`);
  return flow;
}

/** What a form offers: the steps of its buttons and the names of its fields. */
export function offerOf(flow: Flow) {
  const nodes = flow.form?.nodes ?? [];
  return {
    step: flow.stage.case,
    fields: nodes.flatMap(({ name, kind }) => (kind.case === "input" ? [name] : [])),
    buttons: nodes.flatMap(({ kind, step }) => (kind.case === "button" ? [step] : [])),
  };
}

/** The methods that a flow offers where one is chosen. */
export function methodsOffered({ stage }: Flow): readonly string[] {
  if (stage.case !== "chooseMethod") throw new Error(`the flow stands at ${stage.case}`);
  return stage.value.offers.map(({ method }) => method.case ?? "");
}

/** The numbers of all that a form says. */
export function messageIds(flow: Flow): readonly number[] {
  const nodes = flow.form?.nodes.flatMap((node) => node.messages) ?? [];
  return [...nodes, ...(flow.form?.messages ?? [])].map(({ id }) => id);
}
