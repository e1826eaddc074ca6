import type { Credential } from "../../domain/identity/identity.ts";
import type { RequiredActionKind } from "../../domain/identity/required-actions.ts";
import { instantOf } from "../../domain/instant.ts";
import type { TenantSettings } from "../../domain/tenant/tenant.ts";
import * as texts from "../../domain/user-message/user-messages.ts";
import type { PreviewState } from "../preview-state.ts";
import { email, longEmail, phone, type Samples } from "../samples.ts";
import { statesOf } from "./flow-states.ts";

const state = statesOf("settings", { kind: "settings" });

/** The states of the settings. */
export function settingsStates(samples: Samples): readonly PreviewState[] {
  const identity = samples.person();
  const own = { identity, credentials: samples.credentials() };
  const recovered = {
    ...own,
    purpose: {
      kind: "recovery",
      recovery: { ...samples.firstFactor(), purpose: "recovery" },
      username: email,
    },
  } as const;
  const managing = (credential: Credential) => () => ({
    at: "manage_credential" as const,
    credentialId: credential.id,
  });
  const asked = (kind: RequiredActionKind, title: string) =>
    state(
      `asked-to-${kind.replace("_", "-")}`,
      title,
      () => ({ at: "change_settings" }),
      () => ({
        ...own,
        identity: samples.personAsked(kind),
      }),
    );

  return [
    state(
      "change-settings",
      "Somebody who has set up everything",
      () => ({ at: "change_settings" }),
      () => own,
    ),
    state(
      "change-settings-new",
      "A new account, with a password alone",
      () => ({ at: "change_settings" }),
      () => ({
        identity,
        credentials: [samples.password()],
      }),
    ),
    state(
      "change-settings-passwords",
      "Where there is nothing but passwords",
      () => ({ at: "change_settings" }),
      () => ({
        identity,
        credentials: [samples.password()],
        settings: little,
      }),
    ),
    state(
      "change-settings-long",
      "Long names and addresses",
      () => ({ at: "change_settings" }),
      () => ({
        identity: samples.longPerson(),
        credentials: [samples.password(), samples.passkeyNamed(longEmail.slice(0, 64))],
      }),
    ),
    state(
      "change-settings-rich",
      "A field of every kind",
      () => ({ at: "change_settings" }),
      () => ({
        identity: samples.richPerson(),
        credentials: [samples.password()],
        schema: "rich",
      }),
    ),
    state(
      "saved",
      "Something was saved",
      () => ({ at: "change_settings" }),
      () => ({
        ...own,
        succeeded: [texts.settingsSaved()],
      }),
    ),
    state(
      "linked",
      "An account elsewhere was linked",
      () => ({ at: "change_settings" }),
      () => ({
        ...own,
        succeeded: [texts.settingsSaved({ change: "set", kind: "oidc", label: `Google: ${email}` })],
      }),
    ),
    state(
      "removed",
      "A passkey was removed",
      () => ({ at: "change_settings" }),
      () => ({
        ...own,
        succeeded: [texts.settingsSaved({ change: "removed", kind: "passkey", label: "Laptop" })],
      }),
    ),
    state(
      "changed-elsewhere",
      "A trait was changed elsewhere meanwhile",
      () => ({ at: "change_settings" }),
      () => ({
        ...own,
        rejected: {
          problems: {
            fields: [{ name: "traits.name", message: texts.traitChangedElsewhere("Ada King") }],
            form: [],
          },
        },
      }),
    ),
    state(
      "without-backup-codes",
      "A second factor without backup codes",
      () => ({ at: "change_settings" }),
      () => ({
        identity,
        credentials: [samples.password(), samples.totp()],
      }),
    ),
    state(
      "interrupted",
      "A change waits for a login that was left",
      () => ({
        at: "change_settings",
        interrupted: { kind: "deletion" },
      }),
      () => own,
    ),
    state(
      "address-unproved",
      "A new address was not proven yet",
      () => ({
        at: "change_settings",
        unproved: { patch: { email: "ada@example.org" }, undo: { email } },
      }),
      () => own,
    ),
    state(
      "deletion-scheduled",
      "The account is marked for deletion",
      () => ({ at: "change_settings" }),
      () => ({
        ...own,
        identity: samples.person({ purgeAt: instantOf(samples.daysFromNow(14)) }),
      }),
    ),
    state(
      "deletion-at-once",
      "Deletion without a period of grace",
      () => ({ at: "change_settings" }),
      () => ({
        ...own,
        settings: (settings) => ({
          ...settings,
          settings: { ...settings.settings, accountDeletion: { enabled: true, graceMs: 0 } },
        }),
      }),
    ),
    asked("set_password", "Asked for a new password"),
    asked("verify_address", "Asked to verify the address"),
    asked("complete_traits", "Asked for what is missing of the profile"),
    asked("enrol_factor", "Asked for a second factor"),
    asked("accept_terms", "Asked to accept a document"),
    state(
      "set-up-app",
      "The key for an authenticator app",
      async () => ({
        at: "continue_method",
        method: { kind: "totp", memory: await samples.begun("totp") },
      }),
      () => own,
    ),
    state(
      "set-up-passkey",
      "The browser makes a passkey",
      async () => ({
        at: "continue_method",
        method: { kind: "passkey", memory: await samples.begun("passkey") },
      }),
      () => own,
    ),
    state(
      "set-up-sms",
      "A code was sent to the new number",
      async () => ({
        at: "continue_method",
        method: { kind: "sms", memory: await samples.begun("sms", { phoneNumber: phone }) },
      }),
      () => own,
    ),
    state(
      "set-up-backup-codes",
      "The backup codes",
      async () => ({
        at: "continue_method",
        method: { kind: "backup_code", memory: await samples.begun("backup_code") },
      }),
      () => own,
    ),
    ...samples
      .credentials()
      .filter(({ kind }, place, all) => all.findIndex((each) => each.kind === kind) === place)
      .map((credential) =>
        state(
          `manage-${credential.kind.replace("_", "-")}`,
          `One credential: ${credential.kind}`,
          managing(credential),
          () => own,
        ),
      ),
    ...samples
      .credentials()
      .filter(({ kind, isSecondFactor }) => kind === "passkey" && isSecondFactor)
      .map((credential) =>
        state("manage-second-passkey", "A passkey that is asked for second", managing(credential), () => own),
      ),
    state(
      "manage-removed",
      "One credential, which was removed meanwhile",
      managing(samples.passkeyNamed("")),
      () => ({
        identity,
        credentials: [samples.password()],
      }),
    ),
    state(
      "enter-code",
      "The new address is proven",
      () => ({
        ...samples.sent("enter_code", "ada@example.org"),
        at: "enter_code",
        change: { patch: { email: "ada@example.org" }, undo: { email: "ada@example.com" } },
      }),
      () => own,
    ),
    state(
      "set-new-secret",
      "A new password after a recovery",
      () => ({ at: "set_new_secret" }),
      () => recovered,
    ),
    state(
      "set-new-passkey",
      "A new passkey after a recovery",
      async () => ({
        at: "continue_new_secret",
        method: { kind: "passkey", memory: await samples.begun("passkey") },
      }),
      () => ({ ...recovered, settings: withoutPassword }),
    ),
    state(
      "set-new-way",
      "Passkeys in the place of a password after a recovery",
      () => ({ at: "set_new_secret" }),
      () => ({
        ...recovered,
        settings: withoutPassword,
      }),
    ),
    state(
      "no-new-secret",
      "Nothing to set after a recovery",
      () => ({ at: "set_new_secret" }),
      () => ({
        ...recovered,
        settings: (settings) => ({
          ...withoutPassword(settings),
          passkey: { ...settings.passkey, enabled: false },
        }),
      }),
    ),
    state(
      "create-passkey",
      "A login offers to make a passkey",
      () => ({
        at: "create_passkey",
        method: { kind: "passkey", memory: samples.offered("passkey") },
      }),
      () => ({
        identity,
        credentials: [samples.password()],
        purpose: { kind: "create_passkey", session: samples.session().id },
      }),
    ),
  ];
}

function withoutPassword(settings: TenantSettings): TenantSettings {
  return { ...settings, password: { ...settings.password, enabled: false } };
}

function little(settings: TenantSettings): TenantSettings {
  return {
    ...settings,
    ...{ providers: [], totp: { enabled: false }, smsFactor: { ...settings.smsFactor, enabled: false } },
    passkey: { ...settings.passkey, enabled: false },
    backupCode: { ...settings.backupCode, enabled: false },
    settings: { ...settings.settings, accountDeletion: { enabled: false, graceMs: 0 } },
  };
}
