import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { InvitationState } from "../../gen/ostiary/identity/v1/invitation_pb.js";
import { InvitationService } from "../../gen/ostiary/identity/v1/invitation_service_pb.js";
import { freshEmail } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { begin, complete, invite, resultOf } from "../support/invitations.ts";
import { administer } from "../support/postgres.ts";

const sixteen = Array.from({ length: 16 }, (_, index) => index);
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({
    config: { tenant_defaults: { flows: { registration: { mode: "invitation" } } } },
  });
});

afterAll(() => app.stop());

/** How many rows a registration leaves, of each table that it writes. */
async function countRows(): Promise<Record<string, number>> {
  const tables = ["identity", "identity_identifier", "identity_credential", "session"];
  return administer(app.databaseUrl, async (query) => {
    const counts: Record<string, number> = {};
    for (const table of tables) {
      const [row] = await query<{ count: number }>(`SELECT count(*)::int AS count FROM ostiary.${table}`);
      counts[table] = row?.count ?? 0;
    }
    return counts;
  });
}

// Security rule (SR-INVITE-2): an invitation makes one account.
describe("sixteen at once", () => {
  test("registrations by flows of one invitation: one account, and nothing of the others", async () => {
    const { id: invitationId, token } = await invite(app);
    const flows = await Promise.all(sixteen.map((index) => begin(app, token, protocols[index % 4])));
    const before = await countRows();
    const emails = sixteen.map(() => freshEmail());
    const results = await Promise.all(
      flows.map(({ id }, index) =>
        resultOf(complete(app, id, { email: emails[index] ?? "" }, protocols[index % 4])),
      ),
    );
    expect(results.filter((result) => result === "completed")).toHaveLength(1);
    expect(results.filter((result) => result === "INVITATION_INVALID")).toHaveLength(15);
    const after = await countRows();
    for (const [table, count] of Object.entries(before))
      expect([table, after[table]]).toEqual([table, count + 1]);

    const email = emails[results.indexOf("completed")] ?? "";
    const { identity } = await app
      .client(IdentityService)
      .lookUpIdentity({ by: { case: "identifier", value: email } });
    const { invitation } = await app.client(InvitationService).getInvitation({ invitationId });
    expect([invitation?.state, invitation?.identityId]).toEqual([InvitationState.USED, identity?.id]);
  });

  test("registrations of one address with an invitation each: one account, and the other invitations stay", async () => {
    const invitations = [];
    for (const _ of sixteen) invitations.push(await invite(app));
    const flows = await Promise.all(invitations.map(({ token }) => begin(app, token)));
    const email = freshEmail();
    const results = await Promise.all(flows.map(({ id }) => resultOf(complete(app, id, { email }))));
    expect(results.filter((result) => result === "completed")).toHaveLength(1);
    expect(results.filter((result) => result === "IDENTIFIER_TAKEN")).toHaveLength(15);
    const states = await Promise.all(
      invitations.map(async ({ id }) => {
        const { invitation } = await app.client(InvitationService).getInvitation({ invitationId: id });
        return invitation?.state;
      }),
    );
    expect(states.filter((state) => state === InvitationState.PENDING)).toHaveLength(15);
  });

  test("of a registration and a revocation one wins, and the other is told", async () => {
    const rounds = await Promise.all(
      sixteen.map(async () => {
        const { id: invitationId, token } = await invite(app);
        const { id: flowId } = await begin(app, token);
        const [registered, revoked] = await Promise.all([
          resultOf(complete(app, flowId)),
          app
            .client(InvitationService)
            .revokeInvitation({ invitationId })
            .then(
              () => "revoked",
              async (error: unknown) => (await refusal(Promise.reject(error))).reason,
            ),
        ]);
        return [registered, revoked];
      }),
    );
    for (const round of rounds) {
      expect([
        ["completed", "INVITATION_NOT_PENDING"],
        ["INVITATION_INVALID", "revoked"],
      ]).toContainEqual(round);
    }
  });
});
