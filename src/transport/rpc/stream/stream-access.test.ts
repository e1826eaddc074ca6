import { expect, test } from "vitest";
import { domainError } from "../../../domain/errors.ts";
import type { Access } from "../access.ts";
import type { Inbound } from "../inbound.ts";
import type { Route } from "../routes.ts";
import { watchAccess } from "./stream-access.ts";

const inbound = {} as Inbound;
const route = (kind: string) => ({ access: { kind }, name: "Service/Watch" }) as Route;

/** Admits the given number of times, and then refuses because the key was revoked. */
function admitting(times: number) {
  let asked = 0;
  const access = {
    admit: async () => {
      if (++asked > times) throw domainError("API_KEY_REVOKED", {});
    },
  } as unknown as Access;
  return { access, asked: () => asked };
}

// Security rule: a stream does not outlive the credential that opened it.
test.each(["api_key", "session"])(
  "a stream that a caller with access by %s opened ends with it",
  async (kind) => {
    const { access, asked } = admitting(2);
    const ended = await new Promise((resolve) => watchAccess(access, inbound, route(kind), 1, resolve));
    expect(ended).toMatchObject({ reason: "API_KEY_REVOKED" });
    expect(asked()).toBe(3);
  },
);

test("nothing is looked at of those of whom nothing was asked, nor after the stream", async () => {
  const open = admitting(0);
  watchAccess(open.access, inbound, route("anyone"), 0, () => expect.unreachable());
  const over = admitting(0);
  watchAccess(over.access, inbound, route("api_key"), 0, () => expect.unreachable())();
  const control = admitting(0);
  await new Promise((resolve) => watchAccess(control.access, inbound, route("api_key"), 1, resolve));
  expect([open.asked(), over.asked(), control.asked()]).toEqual([0, 0, 1]);
});
