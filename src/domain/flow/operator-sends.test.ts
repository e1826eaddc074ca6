import { describe, expect, test } from "vitest";
import { domainError } from "../errors.ts";
import type { IdentityId } from "../ids.ts";
import type { Tenant } from "../tenant/tenant.ts";
import { OperatorSends, type SendOrder, type SendResult } from "./operator-sends.ts";

/** All of a tenant that sending looks at. */
const tenant = {
  settings: {
    link: { enabledFor: new Set(["recovery"]) },
    uiUrls: { recovery: "https://app.example.com/recover" },
  },
} as unknown as Tenant;
const goesOn = new AbortController().signal;
const recovery = { tenant, flow: "recovery", signal: goesOn } as const;

async function* orders(count: number): AsyncGenerator<SendOrder> {
  for (let index = 0; index < count; index++) yield { identityId: `${index}` as IdentityId, requestId: "" };
}

async function collect(results: AsyncIterable<SendResult<string>>): Promise<unknown[]> {
  const collected: unknown[] = [];
  try {
    for await (const result of results) {
      collected.push(result.kind === "sent" ? result.sent : result.error.reason);
    }
  } catch (error) {
    collected.push(error);
  }
  return collected;
}

describe("sendEach", () => {
  test.each([
    domainError("IDENTITY_NOT_FOUND", {}),
    domainError("IDENTITY_INACTIVE", {}),
    domainError("ADDRESS_NOT_USABLE", {}),
    domainError("REQUEST_ID_REUSED", { requestId: "1" }),
  ])("goes on after $reason, which concerns one identity", async (error) => {
    const { reason } = error;
    const send = async ({ identityId }: SendOrder) => {
      if (identityId === "1") throw error;
      return `to ${identityId}`;
    };
    expect(await collect(new OperatorSends().sendEach(recovery, orders(3), send))).toEqual([
      "to 0",
      reason,
      "to 2",
    ]);
  });

  test("ends after what would fail for the others as well", async () => {
    const unavailable = domainError("DATABASE_UNAVAILABLE", {});
    const begun: string[] = [];
    const send = async ({ identityId }: SendOrder) => {
      begun.push(identityId);
      if (identityId === "1") throw unavailable;
      return `to ${identityId}`;
    };
    const results = await collect(new OperatorSends().sendEach(recovery, orders(100), send));
    expect(results).toEqual(["to 0", unavailable]);
    expect(begun.length).toBeLessThan(10);
  });

  test("is refused for a kind of links that the tenant does not send", () => {
    const open = () => new OperatorSends().sendEach({ ...recovery, flow: "verification" }, orders(1), send);
    const send = async () => "sent";
    expect(open).toThrow(expect.objectContaining({ reason: "LINKS_DISABLED" }));
  });

  // Security rule: a stream does not outlive what opened it.
  test("begins nothing any more once it must end, also of what has been taken", async () => {
    const revoked = domainError("API_KEY_REVOKED", {});
    const ended = new AbortController();
    const begun: string[] = [];
    const send = async ({ identityId }: SendOrder) => {
      begun.push(identityId);
      if (identityId === "5") ended.abort(revoked);
      return `to ${identityId}`;
    };
    const results = await collect(
      new OperatorSends().sendEach({ ...recovery, signal: ended.signal }, orders(1000), send),
    );
    expect(results.at(-1)).toBe(revoked);
    expect(begun.at(-1)).toBe("5");
  });

  test("sends four at a time for all streams together, whichever ends first", async () => {
    const sends = new OperatorSends();
    let [running, most] = [0, 0];
    const send = async ({ identityId }: SendOrder) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, Number(identityId) % 3));
      running--;
      return `to ${identityId}`;
    };
    const streams = Array.from({ length: 5 }, () => collect(sends.sendEach(recovery, orders(20), send)));
    const expected = Array.from({ length: 20 }, (_, index) => `to ${index}`);
    for (const results of await Promise.all(streams)) expect(results).toEqual(expected);
    expect(most).toBe(4);
  });
});
