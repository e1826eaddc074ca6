import { describe, expect, test } from "vitest";
import { domainError } from "../../errors.ts";
import type { IdentityId } from "../../ids.ts";
import type { Tenant } from "../../tenant/tenant.ts";
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

function orders(count: number): readonly SendOrder[] {
  return Array.from({ length: count }, (_, index) => ({
    identityId: `${index}` as IdentityId,
    requestId: "",
  }));
}

async function outcomes(results: Promise<readonly SendResult<string>[]>): Promise<readonly string[]> {
  return (await results).map((result) => (result.kind === "sent" ? result.sent : result.error.reason));
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
    expect(await outcomes(new OperatorSends().sendEach(recovery, orders(3), send))).toEqual([
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
    const sending = new OperatorSends().sendEach(recovery, orders(100), send);
    await expect(sending).rejects.toBe(unavailable);
    expect(begun.length).toBeLessThan(10);
  });

  test("is refused for a kind of links that the tenant does not send", async () => {
    const send = async () => "sent";
    const sending = new OperatorSends().sendEach({ ...recovery, flow: "verification" }, orders(1), send);
    await expect(sending).rejects.toMatchObject({ reason: "LINKS_DISABLED" });
  });

  test("begins nothing any more once nobody waits for it", async () => {
    const gone = domainError("REQUEST_CANCELED", {});
    const ended = new AbortController();
    const begun: string[] = [];
    const send = async ({ identityId }: SendOrder) => {
      begun.push(identityId);
      if (identityId === "5") ended.abort(gone);
      return `to ${identityId}`;
    };
    const sending = new OperatorSends().sendEach({ ...recovery, signal: ended.signal }, orders(1000), send);
    await expect(sending).rejects.toBe(gone);
    expect(begun.at(-1)).toBe("5");
  });

  test("sends four at a time for all batches together, in every order of ends", async () => {
    const sends = new OperatorSends();
    let [running, most] = [0, 0];
    const send = async ({ identityId }: SendOrder) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, Number(identityId) % 3));
      running--;
      return `to ${identityId}`;
    };
    const batches = Array.from({ length: 5 }, () => outcomes(sends.sendEach(recovery, orders(20), send)));
    const expected = Array.from({ length: 20 }, (_, index) => `to ${index}`);
    for (const results of await Promise.all(batches)) expect(results).toEqual(expected);
    expect(most).toBe(4);
  });
});
