import type { MessageInitShape } from "@bufbuild/protobuf";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import {
  RegistrationService,
  type SubmitRegistrationFlowResponse,
} from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import {
  type CreateInvitationRequestSchema,
  InvitationService,
} from "../../gen/ostiary/identity/v1/invitation_service_pb.js";
import { freshEmail, goodPassword } from "./accounts.ts";
import type { Protocol, TestApp } from "./app.ts";
import { refusal } from "./errors.ts";

type Wanted = MessageInitShape<typeof CreateInvitationRequestSchema>;

/** Makes an invitation, and gives it with its token: from the message if it was sent. */
export async function invite(
  app: TestApp,
  wanted: Wanted = {},
): Promise<{ readonly id: string; readonly token: string }> {
  // Ids and messages are told apart by their time, which stands still otherwise.
  app.clock.advance(1);
  const { invitation, invitationToken } = await app.client(InvitationService).createInvitation(wanted);
  const id = invitation?.id ?? "";
  if (invitationToken !== "") return { id, token: invitationToken };
  const message = (await app.messages(invitation?.address)).at(-1);
  return { id, token: invitationIn(message?.url ?? "") };
}

/** The token in the fragment of an invitation's URL. */
export function invitationIn(url: string): string {
  return new URLSearchParams(new URL(url).hash.slice(1)).get("invitation") ?? "";
}

/** Begins a native registration with an invitation, or without one, and gives the flow. */
export async function begin(app: TestApp, invitationToken = "", protocol: Protocol = "Connect JSON") {
  const client = app.client(RegistrationService, { protocol });
  const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE, invitationToken });
  if (flow === undefined) throw new Error("no flow was begun");
  return flow;
}

/** Completes a registration with a password. */
export function complete(
  app: TestApp,
  flowId: string,
  traits: Readonly<Record<string, string>> = { email: freshEmail() },
  protocol: Protocol = "Connect JSON",
): Promise<SubmitRegistrationFlowResponse> {
  const step = { case: "password", value: { password: goodPassword } } as const;
  return app.client(RegistrationService, { protocol }).submitRegistrationFlow({ flowId, traits, step });
}

/** What came of a registration's submit: the reason of its rejection or refusal, or its outcome's name. */
export function resultOf(call: Promise<SubmitRegistrationFlowResponse>): Promise<string | undefined> {
  return call.then(
    ({ outcome }) => (outcome.case === "rejected" ? RejectionReason[outcome.value.reason] : outcome.case),
    async (error: unknown) => (await refusal(Promise.reject(error))).reason,
  );
}
