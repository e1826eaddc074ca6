import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword, sessionTokenOf } from "./accounts.ts";
import type { Protocol, TestApp } from "./app.ts";
import { administer } from "./postgres.ts";

/** The configuration of a server that lets people delete their accounts, after so long. */
export function deletionConfig(gracePeriod = "720h") {
  const deletion = { enabled: true, grace_period: gracePeriod };
  return { tenant_defaults: { flows: { settings: { account_deletion: deletion } } } };
}

/** Somebody with a verified address, who has just signed in. */
export async function verifiedAccount(app: TestApp) {
  const email = freshEmail();
  const { identity } = await app.client(IdentityService).createIdentity({
    traits: { email },
    verifiedAddresses: [{ value: email }],
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
  const sessionToken = await sessionTokenOf(app, email);
  // Messages sort by their time, and one tells of this login.
  app.clock.advance(1);
  return { email, id: identity?.id ?? "", sessionToken };
}

/** A settings flow of the holder of a session, and how to submit steps without fields to it. */
export async function openSettings(app: TestApp, bearer: string, protocol: Protocol = "Connect JSON") {
  const client = app.client(SettingsService, { bearer, protocol });
  const { flow } = await client.createSettingsFlow({ client: ClientKind.NATIVE });
  if (flow === undefined) throw new Error("there is no flow");
  const submitTo = (flowId: string, name: "deleteAccount" | "keepAccount" | "resume") =>
    client.submitSettingsFlow({ flowId, step: { case: name, value: {} } });
  return {
    client,
    flow,
    submitTo,
    submit: (name: Parameters<typeof submitTo>[1]) => submitTo(flow.id, name),
  };
}

/** Has an account deleted, and gives when that will be. Throws if nothing says when. */
export async function deleteAccount(app: TestApp, bearer: string, protocol?: Protocol): Promise<Date> {
  const { outcome } = await (await openSettings(app, bearer, protocol)).submit("deleteAccount");
  if (outcome.case !== "completed") throw new Error(`it was ${outcome.case}`);
  const { purgeTime } = outcome.value;
  if (purgeTime === undefined) throw new Error("it was completed without a time to delete the account at");
  return timestampDate(purgeTime);
}

/** The steps that a form has buttons for, in their order. */
export function stepsOf(flow: Flow | undefined): readonly string[] {
  return (flow?.form?.nodes ?? []).flatMap(({ kind, step }) => (kind.case === "button" ? [step] : []));
}

/** What was recorded of the deletion of an identity, oldest first. */
export function deletionEvents(databaseUrl: string, identityId: string) {
  return administer(databaseUrl, (query) =>
    query<{ type: string; actor: string; data: object }>(
      `SELECT type, actor ->> 'kind' AS actor, data FROM ostiary.event
        WHERE identity_id = $1 AND type LIKE 'identity.delet%' ORDER BY position`,
      [identityId],
    ),
  );
}
