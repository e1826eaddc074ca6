import { expect, test } from "vitest";
import { TestFlows } from "../../../../test/support/flows.ts";
import { Secret } from "../../secret.ts";
import { FlowAccess } from "./flow-access.ts";

// Who holds a flow is tested in flow-engine.test.ts, with the flows that ask.

test("without its cookie a browser has no form token, and none that it sends is good", async () => {
  const flows = await TestFlows.make();
  flows.put("login", { at: "choose_method" }, {}, { kind: "sign_in" });
  const { csrfToken } = flows.inBrowser();
  const { flow, id } = flows;
  if (flow === undefined) throw new Error("there is no flow");
  const access = new FlowAccess(flows);
  expect(() => access.assertFormToken(flows.caller(), flow, id, csrfToken)).toThrow(
    expect.objectContaining({ reason: "CSRF_TOKEN_INVALID" }),
  );
  expect(access.formTokenOf(flow, new Secret(id), undefined)).toBeUndefined();
});
