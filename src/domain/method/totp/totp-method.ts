import { createGuardrails, generateSecret, generateURI, ScureBase32Plugin, verify } from "otplib";
import type { FieldViolation } from "../../field-violation.ts";
import { button, endOtherSessionsNode, type Node } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { SubmittedStep } from "../../form/submission.ts";
import type { NewCredential } from "../../identity/identity.ts";
import type { ImportedTotp } from "../../identity/imported-credential.ts";
import type { JsonObject } from "../../json.ts";
import type { Clock, Sealer } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import * as texts from "../../user-message/factor-messages.ts";
import { continueLabel, required } from "../../user-message/user-messages.ts";
import type {
  ImportMethod,
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
import { readTypedCode } from "../typed-code.ts";
import { qrCode } from "./qr-code.ts";

/** What is sealed: the key in Base32, and the last time step of which a code was taken. */
interface Totp {
  readonly key: string;
  readonly timeStep?: number;
}

const digits = 6;
/** In seconds. */
const period = 30;
/**
 * In bytes. Keys that are made here have 160 bits (RFC 4226, section 4). Other systems have made keys of 80 bits, such as early
 * versions of Google's, and otplib refuses those unless it is told.
 */
const keyLength = { made: 20, shortest: 10, longest: 64 };
const guardrails = createGuardrails({
  MIN_SECRET_BYTES: keyLength.shortest,
  MAX_SECRET_BYTES: keyLength.longest,
});
const base32 = new ScureBase32Plugin();
const sealingPurpose = "totp";
const codeName = "totp.code";
/** Of a key that nobody has: the work for it is the same as for another one. */
const decoy: Totp = { key: "A".repeat(32) };

/**
 * Codes of an authenticator app (RFC 6238), as a second factor: SHA-1, six digits, 30 seconds, because apps know nothing else
 * for sure; keys of 160 bits, those of other systems from 80 on.
 *
 * Security rule (SR-TOTP-1): a code counts once, and then only later ones do (RFC 6238, section 5.2): the time step is kept beside the key,
 * sealed, and a login by it completes only while that is still what was read.
 */
export class TotpMethod implements LoginMethod, SettingsMethod, ImportMethod {
  readonly kind = "totp";
  readonly factor = "second";
  readonly credential = "totp";
  readonly #deps: { readonly sealer: Sealer; readonly clock: Clock };

  constructor(deps: { readonly sealer: Sealer; readonly clock: Clock }) {
    this.#deps = deps;
  }

  isEnabled({ settings }: Tenant): boolean {
    return settings.totp.enabled;
  }

  loginNodes(): readonly Node[] {
    return [codeNode(), button("totp", continueLabel())];
  }

  unreadable(_tenant: Tenant, step: SubmittedStep): StepRejected | undefined {
    return codeOf(step) === undefined ? unreadable(step) : undefined;
  }

  async proveLogin({ step, candidate }: LoginAttempt): Promise<LoginProved | StepRejected> {
    const stored = candidate?.credential && this.#open(candidate.credential.secret);
    const timeStep = await this.#timeStepOf(stored ?? decoy, step);
    if (candidate === undefined || stored === undefined || timeStep === undefined) return wrong();
    const replacement = { secret: this.#seal({ ...stored, timeStep }), facts: {}, isUse: true };
    return { kind: "proved", candidate, authentication, replacement };
  }

  readonly listsCredentials = true;

  sectionTitle() {
    return texts.totpTitle();
  }

  readonly settingsSteps = {
    totp: {
      nodes: (stage: SettingsStage) => this.#setUpNodes(stage),
      take: (attempt: SecretAttempt) => this.#setUp(attempt),
    },
  };

  settingsOffer({ tenant, memory }: SettingsStage): JsonObject {
    const shown = memory && this.#shown(tenant, memory);
    return shown === undefined ? {} : { ...shown };
  }

  #setUpNodes({ tenant, credentials, memory }: SettingsStage): readonly Node[] {
    const shown = memory && this.#shown(tenant, memory);
    if (shown === undefined) {
      return [button("totp", credentials.length === 0 ? texts.setUpTotp() : texts.replaceTotp(), true)];
    }
    const image = { data: Buffer.from(qrCode(shown.uri)), mediaType: "image/svg+xml" };
    return [
      {
        name: "totp.help",
        step: "totp",
        messages: [],
        element: { kind: "text", text: texts.totpHelp() },
      },
      {
        name: "totp.image",
        step: "totp",
        messages: [],
        element: { kind: "image", ...image, alternativeText: texts.totpImage() },
      },
      {
        name: "totp.key",
        step: "totp",
        label: texts.totpKeyLabel(),
        messages: [],
        element: { kind: "text", text: texts.totpKey(shown.key), copyable: true },
      },
      codeNode(),
      endOtherSessionsNode("totp"),
      button("totp", texts.confirmFactor()),
    ];
  }

  /** Shows a key, then takes the app's first code for it. */
  async #setUp({
    step,
    account,
    memory,
    place,
  }: SecretAttempt): Promise<SecretChanged | StepRejected | StepContinues> {
    const begun = memory && this.#open(String(memory.totp));
    if (begun === undefined || step.fields.code === "") {
      const made = begun ?? { key: generateSecret({ length: keyLength.made }) };
      return { kind: "continues", memory: { totp: this.#seal(made), account: account.name } };
    }
    if (codeOf(step) === undefined) return unreadable(step);
    const timeStep = await this.#timeStepOf(begun, step);
    if (timeStep === undefined) return wrong();
    return {
      kind: "changed",
      credential: {
        kind: "totp",
        secret: this.#seal({ ...begun, timeStep }),
        facts: {},
        isSecondFactor: true,
      },
      notice: { template: "credential_added", data: { kind: "totp", label: "", ...place } },
      authentication,
      endsOtherSessions: step.fields.endOtherSessions === true,
    };
  }

  readonly mostCredentials = 1;

  /**
   * Security rule (SR-TOTP-2): the key of another system is sealed as one that was set up here, and has at least 80 bits. No code of it
   * counts as used yet.
   */
  readonly importKey = "credentialId";

  async importCredential({
    field,
    key,
    ...parameters
  }: ImportedTotp): Promise<
    { readonly credential: NewCredential } | { readonly violations: readonly FieldViolation[] }
  > {
    const name = "raw" in key ? "raw" : "base32";
    const bytes = "raw" in key ? key.raw : fromBase32(key.base32.reveal());
    const violations = parameterViolations(field, parameters);
    if (bytes === undefined) {
      violations.push({ field: `${field}.${name}`, description: "is not Base32", reason: "FORMAT" });
    } else if (bytes.length < keyLength.shortest || bytes.length > keyLength.longest) {
      const isShort = bytes.length < keyLength.shortest;
      const description = `must have from ${keyLength.shortest * 8} to ${keyLength.longest * 8} bits`;
      violations.push({
        field: `${field}.${name}`,
        description,
        reason: isShort ? "TOO_SHORT" : "TOO_LONG",
      });
    }
    if (bytes === undefined || violations.length > 0) return { violations };
    const secret = this.#seal({ key: base32.encode(bytes) });
    return { credential: { kind: "totp", secret, facts: {}, isSecondFactor: true } };
  }

  /** The key that is being set up, as its owner needs it. */
  #shown({ settings }: Tenant, memory: MethodMemory) {
    const totp = this.#open(String(memory.totp));
    if (totp === undefined) return undefined;
    const { key } = totp;
    const uri = generateURI({ issuer: settings.branding.name, label: String(memory.account), secret: key });
    return { key, uri };
  }

  /** The time step of a right code; undefined for a wrong one, and for one that was taken, or one before that. */
  async #timeStepOf({ key, timeStep }: Totp, step: SubmittedStep): Promise<number | undefined> {
    const epoch = Math.floor(this.#deps.clock.now().getTime() / 1000);
    const token = codeOf(step) ?? "";
    const after = timeStep === undefined ? {} : { afterTimeStep: timeStep };
    try {
      const result = await verify({
        secret: key,
        token,
        epoch,
        period,
        digits,
        epochTolerance: period,
        guardrails,
        ...after,
      });
      return result.valid && "timeStep" in result ? result.timeStep : undefined;
    } catch {
      // It throws for what it does not take for a code or a key.
      return undefined;
    }
  }

  #seal(totp: Totp): string {
    return this.#deps.sealer.seal(sealingPurpose, Buffer.from(JSON.stringify(totp)));
  }

  #open(sealed: string): Totp | undefined {
    const plain = this.#deps.sealer.open(sealingPurpose, sealed);
    return plain && JSON.parse(Buffer.from(plain).toString());
  }
}

const authentication = { kind: "totp", assuranceLevel: "aal2" } as const;

function codeOf({ fields }: SubmittedStep): string | undefined {
  return readTypedCode(String(fields.code ?? ""), [digits]);
}

/** What an app computes that was set up elsewhere, where it is not what is computed here. */
function parameterViolations(
  field: string,
  { digits: length, periodMs, algorithm }: Pick<ImportedTotp, "digits" | "periodMs" | "algorithm">,
): FieldViolation[] {
  const anew = "Leave the app out, and have its owner set one up anew.";
  const violations: FieldViolation[] = [];
  const refuse = (name: string, rule: string) =>
    violations.push({ field: `${field}.${name}`, description: `must be ${rule}. ${anew}`, reason: "VALUE" });
  if (length !== 0 && length !== digits) refuse("digits", `${digits}`);
  if (periodMs !== undefined && periodMs !== period * 1000) refuse("period", `${period} seconds`);
  if (algorithm !== "sha1") refuse("algorithm", "SHA-1");
  return violations;
}

/**
 * The bytes of Base32 (RFC 4648, section 6) as people copy it, undefined if it is none. Bits at its end that fill no byte are
 * dropped, as apps do: some systems have drawn letters instead of bytes.
 */
function fromBase32(text: string): Uint8Array | undefined {
  const letters = text.replace(/[\s-]|=+$/g, "").toUpperCase();
  if (!/^[A-Z2-7]+$/.test(letters)) return undefined;
  const bits = [...letters].map((letter) =>
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"),
  );
  const bytes = bits.join("").match(/.{8}/g) ?? [];
  return Uint8Array.from(bytes, (byte) => Number.parseInt(byte, 2));
}

function codeNode(): Node {
  return {
    name: codeName,
    step: "totp",
    label: texts.totpLabel(),
    messages: [],
    element: {
      kind: "input",
      type: "code",
      required: true,
      autocomplete: "one-time-code",
      codeLength: digits,
    },
  };
}

function unreadable({ fields }: SubmittedStep): StepRejected {
  const isEmpty = String(fields.code ?? "").trim() === "";
  const message = isEmpty ? required(codeName) : texts.factorCodeMalformed(digits);
  const reason = isEmpty ? "FORM_INCOMPLETE" : "CODE_MALFORMED";
  return { kind: "rejected", reason, problems: { fields: [{ name: codeName, message }], form: [] } };
}

function wrong(): StepRejected {
  const problems = { fields: [{ name: codeName, message: texts.totpWrong() }], form: [] };
  return { kind: "rejected", reason: "CODE_INVALID", problems };
}
