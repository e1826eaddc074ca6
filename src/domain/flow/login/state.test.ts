import { expect, test } from "vitest";
import { anIdentity, noon } from "../../../../test/support/records.ts";
import { newRequiredAction } from "../../identity/required-actions.ts";
import { awaited } from "./state.ts";

const action = newRequiredAction(
  { kind: "verify_address", timing: "before_session" },
  { kind: "server", because: "second_factor_policy" },
  new Date(noon),
);
const phone = { kind: "phone", value: "+41446681800", path: "phone", verifiedAt: undefined } as const;
const email = { kind: "email", value: "ada@example.com", path: "email", verifiedAt: undefined } as const;

test.each([
  ["the address for mails, wherever it stands", [phone, email], email.value],
  ["the number of an account that has nothing else", [phone], phone.value],
])("what is to be verified is %s", (_name, verifiableAddresses, value) => {
  expect(awaited(action, anIdentity({ verifiableAddresses })).address).toMatchObject({ value });
});
