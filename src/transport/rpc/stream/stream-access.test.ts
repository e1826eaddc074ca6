import { expect, test } from "vitest";
import { domainError } from "../../../domain/errors.ts";
import type { Call } from "../call.ts";
import type { Route } from "../routes.ts";
import { watchAccess } from "./stream-access.ts";

const call = {} as Call;
const route = (kind: string) => ({ access: { kind }, name: "Service/Watch" }) as Route;

/** Admits the given number of times, and then refuses because the key was revoked. */
function admitting(times: number) {
  let asked = 0;
  const pipeline = {
    admitAgain: async () => {
      if (++asked > times) throw domainError("API_KEY_REVOKED", {});
    },
  };
  return { pipeline, asked: () => asked };
}

// Security rule (SR-ACCESS-6): a stream does not outlive the credential that opened it.
test.each(["api_key", "session"])(
  "a stream that a caller with access by %s opened ends with it",
  async (kind) => {
    const { pipeline, asked } = admitting(2);
    const ended = await new Promise((resolve) => watchAccess(pipeline, call, route(kind), 1, resolve));
    expect(ended).toMatchObject({ reason: "API_KEY_REVOKED" });
    expect(asked()).toBe(3);
  },
);

test("a stream without a credential is not checked, nor is one that has ended", async () => {
  const open = admitting(0);
  watchAccess(open.pipeline, call, route("anyone"), 0, () => expect.unreachable());
  const over = admitting(0);
  watchAccess(over.pipeline, call, route("api_key"), 0, () => expect.unreachable())();
  const control = admitting(0);
  await new Promise((resolve) => watchAccess(control.pipeline, call, route("api_key"), 1, resolve));
  expect([open.asked(), over.asked(), control.asked()]).toEqual([0, 0, 1]);
});
