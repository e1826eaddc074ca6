import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { SubmitLoginFlowResponseSchema } from "../../../../gen/ostiary/flow/v1/login_service_pb.js";
import type { FlowAnswers } from "../../../domain/flow/shared/flow-answers.ts";
import type { Call } from "../call.ts";
import { FlowSubmits } from "./flow-submits.ts";
import type { IdentityProfiles } from "./identity-profiles.ts";

// Security rule (SR-FLOW-6): no token of a session or device lies in the database, not even sealed.
test("what is kept of an answer has no token of a session or device, and all else of it", async () => {
  const kept: Uint8Array[] = [];
  const answers = {
    requestOf: (requestId: string, body: string) => ({ requestId, id: requestId, body }),
    keep: async (...[, , , { bytes }]: Parameters<FlowAnswers["keep"]>) => void kept.push(bytes),
  } as unknown as FlowAnswers;
  const answer: MessageInitShape<typeof SubmitLoginFlowResponseSchema> = {
    flow: { id: "flow" },
    outcome: {
      case: "completed",
      value: {
        returnTo: "https://app.example/",
        signedIn: { sessionToken: "ost_ses_1", deviceToken: "ost_dev_1", session: { id: "session" } },
      },
    },
  };
  // Nobody's profile is in the answer.
  const profiles = { in: () => undefined } as unknown as IdentityProfiles;
  const answered = await new FlowSubmits({ answers, profiles }).run(
    {} as Call,
    { flowId: "flow", csrfToken: "", requestId: "request" },
    SubmitLoginFlowResponseSchema,
    async () => ({ kind: "completed" }),
    () => answer,
  );
  expect(answered).toBe(answer);
  const [{ flow, outcome } = {}] = kept.map((bytes) => fromBinary(SubmitLoginFlowResponseSchema, bytes));
  expect(flow?.id).toBe("flow");
  expect(outcome).toMatchObject({
    case: "completed",
    value: {
      returnTo: "https://app.example/",
      signedIn: { sessionToken: "", deviceToken: "", session: { id: "session" } },
    },
  });
  expect(Buffer.concat(kept).includes("ost_")).toBe(false);
});
