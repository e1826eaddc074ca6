import { generateSecret, generateURI, verify } from "otplib";
import { button, endOtherSessionsNode, type Node } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { SubmittedStep } from "../../form/submission.ts";
import type { JsonObject } from "../../json.ts";
import type { Clock, Sealer } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import * as texts from "../../user-message/factor-messages.ts";
import { continueLabel, required } from "../../user-message/user-messages.ts";
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
const sealingPurpose = "totp";
const codeName = "totp.code";
/** Of a key that nobody has: the work for it is the same as for another one. */
const decoy: Totp = { key: "A".repeat(32) };

/**
 * Codes of an authenticator app (RFC 6238), as a second factor: SHA-1, six digits, 30 seconds, because apps know nothing else
 * for sure; keys of 160 bits.
 *
 * Security rule (SR-TOTP-1): a code counts once, and then only later ones do (RFC 6238, section 5.2): the time step is kept beside the key,
 * sealed, and a login by it completes only while that is still what was read.
 */
export class TotpMethod implements LoginMethod, SettingsMethod {
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
      const made = begun ?? { key: generateSecret({ length: 20 }) };
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

function codeNode(): Node {
  return {
    name: codeName,
    step: "totp",
    label: texts.totpLabel(),
    messages: [],
    element: { kind: "input", type: "code", required: true, autocomplete: "one-time-code" },
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
