import { expect, test } from "vitest";
import { anAsker, noon, someSettings } from "../../../../test/support/records.ts";
import { createOneTimeCodes } from "../../../crypto/one-time-codes.ts";
import { createSealer } from "../../../crypto/sealer.ts";
import type { TenantId } from "../../ids.ts";
import { Secret } from "../../secret.ts";
import type { MethodMemory } from "../method.ts";
import { BackupCodeMethod } from "./backup-code-method.ts";

const tenant = { tenantId: "t" as TenantId, name: "default", settings: someSettings() };
const binding = { client: "native" as const, flowDigest: Buffer.alloc(32), revision: 1 };

/** A server with sealing secrets of its own. */
function aServer() {
  const secrets = [new Secret(crypto.randomUUID() + crypto.randomUUID())];
  const codes = createOneTimeCodes(() => secrets);
  return new BackupCodeMethod({ codes, sealer: createSealer(() => secrets) });
}

function take(method: BackupCodeMethod, fields: object, memory?: MethodMemory) {
  return method.settingsSteps.backupCodes.take({
    ...{ tenant, step: { name: "backupCodes", fields: { ...fields } }, binding, memory, credentials: [] },
    account: { traits: {}, identifiers: [], name: "Ada" },
    isFresh: true,
    place: { time: noon, device: "" },
    flow: { kind: "settings", id: "" },
    asker: anAsker(),
  });
}

async function shownBy(method: BackupCodeMethod) {
  const result = await take(method, {});
  if (result.kind !== "continues") throw new Error(`it was ${result.kind}`);
  return result.memory;
}

test("codes are kept as they were shown", async () => {
  const method = aServer();
  const memory = await shownBy(method);
  expect(await take(method, {}, memory)).toEqual({ kind: "continues", memory });
  expect(await take(method, { confirmed: true }, memory)).toMatchObject({
    kind: "changed",
    credential: { kind: "backup_code", facts: { remaining: 12, total: 12 } },
  });
});

test("codes that nothing unseals any more are made anew, and take the place of none", async () => {
  const memory = await shownBy(aServer());
  const method = aServer();
  const stage = { tenant, credentials: [], former: [], name: "", binding, memory };
  expect(method.settingsOffer(stage)).toEqual({});
  expect(method.settingsSteps.backupCodes.nodes(stage).map(({ name }) => name)).toEqual(["backupCodes"]);
  const result = await take(method, { confirmed: true }, memory);
  if (result.kind !== "continues") throw new Error(`it was ${result.kind}`);
  expect(method.settingsOffer({ ...stage, memory: result.memory })).toMatchObject({
    codes: Array(12).fill(expect.any(String)),
  });
});
