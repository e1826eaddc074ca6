import { afterAll, beforeAll, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { goodPassword, logIn, sessionTokenOf } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import {
  deleteAccount,
  deletionConfig,
  deletionEvents,
  openSettings,
  verifiedAccount,
} from "../support/deletion.ts";
import { refusal } from "../support/errors.ts";

const sixteen = Array.from({ length: 16 }, (_, index) => index);
let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ config: deletionConfig() });
});
afterAll(() => app.stop());

test("of 16 deletions and cancellations in one flow one wins, and each is told and recorded once", async () => {
  const { email, id, sessionToken } = await verifiedAccount(app);
  const race = async (bearer: string, name: "deleteAccount" | "keepAccount", taken: RegExp) => {
    const { submit } = await openSettings(app, bearer);
    const results = await Promise.allSettled(sixteen.map(() => submit(name)));
    expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(1);
    for (const result of results) {
      if (result.status === "rejected") {
        expect((await refusal(Promise.reject(result.reason))).reason).toMatch(taken);
      }
    }
  };
  await race(sessionToken, "deleteAccount", /^(FLOW_COMPLETED|SESSION_REVOKED)$/);
  await race(await sessionTokenOf(app, email), "keepAccount", /^(FLOW_CHANGED|STEP_NOT_OFFERED)$/);
  const events = await deletionEvents(app.databaseUrl, id);
  expect(events.map(({ type }) => type)).toEqual([
    "identity.deletion_scheduled",
    "identity.deletion_cancelled",
  ]);
  const told = (await app.messages(email)).map(({ template }) => template);
  expect(told.filter((template) => template.startsWith("account_"))).toEqual([
    "account_deletion_scheduled",
    "account_kept",
  ]);
});

test("of 16 flows of one account that delete it while it signs in one does, and the session they came with is over", async () => {
  const { email, id, sessionToken } = await verifiedAccount(app);
  const flows = await Promise.all(
    sixteen.map((index) => openSettings(app, sessionToken, protocols[index % 4])),
  );
  const logins = Promise.allSettled(
    sixteen.map((index) => logIn(app, email, goodPassword, protocols[index % 4])),
  );
  const results = await Promise.allSettled(flows.map(({ submit }) => submit("deleteAccount")));
  expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(1);
  // Whoever signs in afterwards may: the account is there until the day.
  expect(await logins).toEqual(
    sixteen.map(() => ({ status: "fulfilled", value: expect.objectContaining({ case: "completed" }) })),
  );
  expect((await refusal(openSettings(app, sessionToken))).reason).toBe("SESSION_REVOKED");
  const events = await deletionEvents(app.databaseUrl, id);
  expect(events.map(({ type }) => type)).toEqual(["identity.deletion_scheduled"]);
});

test("an owner and an operator who keep an account at once: it is kept once", async () => {
  const { email, id, sessionToken } = await verifiedAccount(app);
  await deleteAccount(app, sessionToken);
  const { submit } = await openSettings(app, await sessionTokenOf(app, email));
  const identities = app.client(IdentityService);
  await Promise.allSettled([
    submit("keepAccount"),
    ...sixteen.map(() => identities.cancelIdentityDeletion({ identityId: id })),
  ]);
  expect((await identities.getIdentity({ identityId: id })).identity?.purgeTime).toBeUndefined();
  expect(await deletionEvents(app.databaseUrl, id)).toHaveLength(2);
  const told = (await app.messages(email)).filter(({ template }) => template === "account_kept");
  expect(told).toHaveLength(1);
});
