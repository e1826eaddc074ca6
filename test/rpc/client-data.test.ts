import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { VerificationService } from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { LiquidRenderer } from "../../src/outbound/templates/liquid-renderer.ts";
import { readTemplateFiles } from "../../src/outbound/templates/template-files.ts";
import { freshEmail, goodPassword, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { openSettings } from "../support/deletion.ts";
import { refusal } from "../support/errors.ts";
import { administer } from "../support/postgres.ts";

const folder = mkdtempSync(join(tmpdir(), "ostiary-templates-"));
const template = "campaign={{ client_data.campaign }} code={{ code }} shop={{ client_data.shop.name }}.";
let app: TestApp;

beforeAll(async () => {
  await mkdir(join(folder, "en"));
  for (const name of ["recovery_code", "verification_code"]) {
    await writeFile(join(folder, "en", `${name}.text.liquid`), template);
    await writeFile(join(folder, "en", `${name}.html.liquid`), template);
  }
  app = await startTestApp();
});
afterAll(async () => {
  await app.stop();
  rmSync(folder, { recursive: true });
});

/** The mail that a recipient got last, as the server's own templates and those of the folder make it. */
async function mailTo(recipient: string) {
  const content = (await app.messages(recipient)).at(-1)?.content;
  if (content === undefined) throw new Error("there is no mail");
  const { files } = readTemplateFiles(folder);
  const renderer = new LiquidRenderer({
    files,
    defaultLanguage: "en",
    serviceName: "Acme",
    pageDomain: "id.example.com",
    support: "",
  });
  await renderer.check();
  const mail = await renderer.render(content, "email", "en");
  if (mail.channel !== "email") throw new Error("there is no mail");
  return mail;
}

/** A recovery that asks for a code, and what the mail says. */
async function recover(create: JsonObject | undefined, submit: JsonObject | undefined) {
  const recovery = app.client(RecoveryService);
  const email = freshEmail();
  const { flow } = await recovery.createRecoveryFlow({
    client: ClientKind.NATIVE,
    ...(create && { clientData: create }),
  });
  const flowId = flow?.id ?? "";
  await recovery.submitRecoveryFlow({
    ...{ flowId, address: email, step: { case: "sendCode", value: {} } },
    ...(submit && { clientData: submit }),
  });
  return mailTo(email);
}

describe("client data", () => {
  test("is what a template prints: as it came at first, or with a later submit", async () => {
    const first = await recover({ campaign: "spring", shop: { name: "Acme" } }, undefined);
    expect(first.text).toMatch(/^campaign=spring code=\d+ shop=Acme\.$/);
    const later = await recover({ campaign: "spring", shop: { name: "Acme" } }, { campaign: "autumn" });
    expect(later.text).toMatch(/^campaign=autumn code=\d+ shop=\.$/);
  });

  test("is escaped in HTML, is no template itself, and what is missing is nothing", async () => {
    const { text, html } = await recover({ campaign: "<b>{{ code }}</b>" }, undefined);
    expect(text).toMatch(/^campaign=<b>\{\{ code \}\}<\/b> code=\d+ shop=\.$/);
    expect(html).toMatch(/^campaign=&lt;b&gt;\{\{ code \}\}&lt;\/b&gt; code=\d+ shop=\.$/);
    expect((await recover(undefined, undefined)).text).toMatch(/^campaign= code=\d+ shop=\.$/);
  });

  test("goes with a registration to the verification after it, and is stored with no identity or session", async () => {
    const email = freshEmail();
    const registration = app.client(RegistrationService);
    const { flow } = await registration.createRegistrationFlow({
      ...{ client: ClientKind.NATIVE, clientData: { campaign: "begun" } },
    });
    await registration.submitRegistrationFlow({
      ...{ flowId: flow?.id ?? "", traits: { email }, clientData: { campaign: "marked-4711" } },
      step: { case: "password", value: { password: goodPassword } },
    });
    expect((await mailTo(email)).text).toContain("campaign=marked-4711");
    const tables = ["identity", "session", "event", "identity_credential", "message", "device"];
    for (const table of tables) {
      const [row] = await administer(app.databaseUrl, (query) =>
        query<{ count: number }>(
          `SELECT count(*)::int AS count FROM ostiary.${table} t WHERE t::text LIKE '%marked-4711%'`,
          [],
        ),
      );
      expect([table, row?.count]).toEqual([table, 0]);
    }
    expect(JSON.stringify(app.log)).not.toContain("marked-4711");
  });

  test("has the same limits in the requests of all kinds of flows", async () => {
    const { sessionToken } = await register(app);
    const create = { client: ClientKind.NATIVE };
    const calls: ((clientData: JsonObject) => Promise<unknown>)[] = [
      (clientData) => app.client(LoginService).createLoginFlow({ ...create, clientData }),
      (clientData) => app.client(RegistrationService).createRegistrationFlow({ ...create, clientData }),
      (clientData) => app.client(RecoveryService).createRecoveryFlow({ ...create, clientData }),
      (clientData) => app.client(VerificationService).createVerificationFlow({ ...create, clientData }),
      (clientData) =>
        app.client(SettingsService, { bearer: sessionToken }).createSettingsFlow({ ...create, clientData }),
    ];
    const { flow, client } = await openSettings(app, sessionToken);
    calls.push((clientData) =>
      client.submitSettingsFlow({ flowId: flow.id, step: { case: "profile", value: {} }, clientData }),
    );
    for (const call of calls) {
      await call({ text: "x".repeat(8_000) });
      for (const [clientData, field] of [
        [{ text: "x".repeat(8 * 1024) }, "clientData"],
        [{ text: "a\u0000" }, "clientData.text"],
        [{ number: 2 ** 60 }, "clientData.number"],
      ] as const) {
        expect(await refusal(call(clientData))).toMatchObject({ reason: "REQUEST_INVALID", fields: [field] });
      }
    }
  });
});
