import { button, type Node } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { SubmittedStep } from "../../form/submission.ts";
import type { Credential, CredentialSecret } from "../../identity/identity.ts";
import type { JsonObject } from "../../json.ts";
import type { OneTimeCodes, Sealer } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import * as texts from "../../user-message/factor-messages.ts";
import { continueLabel, required, type UserMessage } from "../../user-message/user-messages.ts";
import type {
  LoginAttempt,
  LoginMethod,
  LoginProved,
  MethodMemory,
  SecretAttempt,
  SecretChanged,
  SettingsMethod,
  SettingsStage,
  StepContinues,
} from "../method.ts";
import { backupCodeLength, readBackupCode, writeBackupCode } from "./typed-backup-code.ts";

const sealingPurpose = "backup codes";
const codeName = "backupCode.code";
/** Told apart from other codes under the same key. */
const digestContext = ["backup code"];

/**
 * Backup codes: a list of codes that are good once each, in the place of a second factor that is lost. They ask for nothing by
 * themselves.
 *
 * Security rule (SR-BACKUP-1): a code has 80 random bits (at least 64: NIST SP 800-63B-4, section 3.1.2), only digests under a key of the
 * server's are stored, and a code goes with the login that it completes, so it counts once.
 */
export class BackupCodeMethod implements LoginMethod, SettingsMethod {
  readonly kind = "backup_code";
  readonly factor = "second";
  readonly credential = "backup_code";
  readonly isSpare = true;
  readonly #deps: { readonly codes: OneTimeCodes; readonly sealer: Sealer };

  constructor(deps: { readonly codes: OneTimeCodes; readonly sealer: Sealer }) {
    this.#deps = deps;
  }

  isEnabled({ settings }: Tenant): boolean {
    return settings.backupCode.enabled;
  }

  loginNodes(): readonly Node[] {
    const code: Node = {
      name: codeName,
      step: "backupCode",
      label: texts.backupCodeLabel(),
      messages: [],
      element: { kind: "input", type: "text", required: true, autocomplete: "off" },
    };
    return [code, button("backupCode", continueLabel())];
  }

  unreadable(step: SubmittedStep): StepRejected | undefined {
    const typed = String(step.fields.code ?? "");
    if (typed.trim() === "") return rejected("FORM_INCOMPLETE", required(codeName));
    return readBackupCode(typed) === undefined
      ? rejected("CODE_MALFORMED", texts.backupCodeMalformed(backupCodeLength))
      : undefined;
  }

  async proveLogin({ step, candidate, place }: LoginAttempt): Promise<LoginProved | StepRejected> {
    const code = readBackupCode(String(step.fields.code ?? "")) ?? "";
    const digests = candidate?.credential === undefined ? [] : digestsOf(candidate.credential);
    // All are compared, so that the time does not tell which of them it was.
    const left = digests.filter((digest) => !this.#deps.codes.matches(digest, digestContext, code));
    if (candidate?.credential === undefined || left.length === digests.length) {
      return rejected("CODE_INVALID", texts.backupCodeWrong());
    }
    const replacement = { ...secretOf(left, Number(candidate.credential.facts.total)), isUse: true };
    const notice = { template: "backup_code_used", data: { remaining: left.length, ...place } } as const;
    const authentication = { kind: "backup_code", assuranceLevel: "aal2" } as const;
    return { kind: "proved", candidate, authentication, replacement, notice };
  }

  readonly listsCredentials = true;

  sectionTitle() {
    return texts.backupCodesTitle();
  }

  readonly settingsSteps = {
    backupCodes: {
      nodes: (stage: SettingsStage) => this.#nodes(stage),
      take: (attempt: SecretAttempt) => this.#make(attempt),
    },
  };

  settingsOffer({ memory }: SettingsStage): JsonObject {
    const shown = this.#shown(memory);
    return shown === undefined ? {} : { codes: shown.map(writeBackupCode) };
  }

  #nodes({ credentials: [own], memory }: SettingsStage): readonly Node[] {
    const shown = this.#shown(memory);
    if (shown === undefined) {
      const left = own && remainingOf(own);
      const text = left && texts.backupCodesLeft(left.remaining, left.total);
      const label = own === undefined ? texts.makeBackupCodes() : texts.makeOtherBackupCodes();
      return [...(text ? [textNode("backupCodes.left", text)] : []), button("backupCodes", label, true)];
    }
    const written = shown.map(writeBackupCode);
    const kept = button("backupCodes", texts.keptBackupCodes());
    return [
      textNode("backupCodes.help", texts.keepBackupCodes()),
      { ...textNode("backupCodes.codes", texts.backupCodes(written)), element: toKeep(written) },
      { ...kept, name: "backupCodes.confirmed", element: { kind: "button", value: true } },
    ];
  }

  /** Shows new codes; the former ones are good until their owner says that the new ones are kept. */
  async #make({
    tenant,
    step,
    memory,
    place,
  }: SecretAttempt): Promise<SecretChanged | StepRejected | StepContinues> {
    const { codes, sealer } = this.#deps;
    const shown = this.#shown(memory);
    if (memory === undefined || shown === undefined) {
      const { count } = tenant.settings.backupCode;
      const made = Array.from({ length: count }, () => codes.makeText(backupCodeLength).reveal());
      const sealed = sealer.seal(sealingPurpose, Buffer.from(JSON.stringify(made)));
      return { kind: "continues", memory: { codes: sealed } };
    }
    if (step.fields.confirmed !== true) return { kind: "continues", memory };
    const digests = shown.map((code) => codes.digest(digestContext, code));
    return {
      kind: "changed",
      credential: { kind: "backup_code", ...secretOf(digests, digests.length) },
      notice: { template: "credential_added", data: { kind: "backup_code", label: "", ...place } },
      endsOtherSessions: false,
    };
  }

  /** The codes that are shown; undefined if none are, or nothing unseals them any more. */
  #shown(memory: MethodMemory | undefined): readonly string[] | undefined {
    const plain = memory && this.#deps.sealer.open(sealingPurpose, String(memory.codes));
    return plain && JSON.parse(Buffer.from(plain).toString());
  }
}

/** How many codes of a credential are left, and how many there were. */
function remainingOf({ facts }: Pick<Credential, "facts">) {
  return { remaining: Number(facts.remaining), total: Number(facts.total) };
}

function digestsOf({ secret }: CredentialSecret): readonly Uint8Array[] {
  const digests: readonly string[] = JSON.parse(secret);
  return digests.map((digest) => Buffer.from(digest, "base64url"));
}

function secretOf(digests: readonly Uint8Array[], total: number): CredentialSecret {
  const secret = JSON.stringify(digests.map((digest) => Buffer.from(digest).toString("base64url")));
  return { secret, facts: { remaining: digests.length, total } };
}

function textNode(name: string, text: UserMessage): Node {
  return { name, step: "backupCodes", messages: [], element: { kind: "text", text } };
}

function toKeep(codes: readonly string[]): Node["element"] {
  return { kind: "text", text: texts.backupCodes(codes), copyable: true, keepable: true };
}

function rejected(reason: StepRejected["reason"], message: UserMessage): StepRejected {
  return { kind: "rejected", reason, problems: { fields: [{ name: codeName, message }], form: [] } };
}
