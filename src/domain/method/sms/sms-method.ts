import { button, endOtherSessionsNode, type Node, waitUntil } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { SubmittedStep } from "../../form/submission.ts";
import { toE164, withCountryCode } from "../../identifier/phone.ts";
import type { CredentialSecret } from "../../identity/identity.ts";
import { maskAddress } from "../../identity/mask-address.ts";
import type { JsonObject } from "../../json.ts";
import type { Clock, OneTimeCodes, Sealer } from "../../ports.ts";
import type { AssuranceLevel } from "../../session/session.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import * as texts from "../../user-message/factor-messages.ts";
import {
  codeLabel,
  continueLabel,
  required,
  resendLabel,
  resendTooEarly,
  type UserMessage,
} from "../../user-message/user-messages.ts";
import type {
  FlowBinding,
  LoginAttempt,
  LoginMethod,
  LoginProved,
  LoginStage,
  MethodMemory,
  SecretAttempt,
  SecretChanged,
  SettingsMethod,
  SettingsStage,
  StepContinues,
} from "../method.ts";
import { readTypedCode } from "../typed-code.ts";
import { type SentCode, sentCodeIn } from "./sent-code.ts";

const sealingPurpose = "sms";
const codeName = "sms.code";
const numberName = "sms.phoneNumber";

/**
 * Codes by text message to a number that was set up for it, as a second factor. Off unless a tenant switches it on: text messages are a
 * restricted authenticator (NIST SP 800-63B-4, section 3.1.3.3).
 *
 * Security rule (SR-SMS-1): a code is good for its flow, its number and what it was sent for alone, until it ends or another one is
 * sent. All of that is part of what is digested. It goes with the login that it completes, so it counts once.
 */
export class SmsMethod implements LoginMethod, SettingsMethod {
  readonly kind = "sms";
  readonly factor = "second";
  readonly credential = "sms";
  readonly sentBy = "sms";
  readonly #deps: { readonly codes: OneTimeCodes; readonly sealer: Sealer; readonly clock: Clock };

  constructor(deps: { readonly codes: OneTimeCodes; readonly sealer: Sealer; readonly clock: Clock }) {
    this.#deps = deps;
  }

  isEnabled({ settings }: Tenant): boolean {
    return settings.smsFactor.enabled;
  }

  /** Security rule (SR-SMS-4): a code by text message is worth `aal2` only where the configuration says so. */
  assuranceLevel({ settings }: Tenant): AssuranceLevel {
    return settings.smsFactor.countsAsAal2 ? "aal2" : "aal1";
  }

  noteOf(credentials: Parameters<NonNullable<LoginMethod["noteOf"]>>[0]): JsonObject {
    const own = credentials.find(({ kind }) => kind === "sms");
    return { masked: String(own?.facts.masked ?? "") };
  }

  loginNodes(tenant: Tenant, { noted, memory }: LoginStage): readonly Node[] {
    const number = String(noted?.masked ?? "");
    const sent = sentCodeIn(memory);
    if (sent === undefined) {
      return [textNode("sms.help", texts.smsOffered(number)), button("sms", texts.sendSms(), true)];
    }
    return [
      textNode("sms.help", texts.smsSent(number)),
      codeNode(tenant),
      button("sms", continueLabel()),
      this.#resendNode(sent),
    ];
  }

  loginOffer(_tenant: Tenant, { noted, memory }: LoginStage): JsonObject {
    return { phoneNumber: String(noted?.masked ?? ""), ...timesOf(sentCodeIn(memory)) };
  }

  sendsTo({ step, candidate, memory }: Pick<LoginAttempt, "step" | "candidate" | "memory">) {
    if (!this.#sends(step, sentCodeIn(memory))) return undefined;
    return candidate?.credential && this.#numberOf(candidate.credential);
  }

  unreadable(
    tenant: Tenant,
    step: SubmittedStep,
    memory: MethodMemory | undefined,
  ): StepRejected | undefined {
    const sent = sentCodeIn(memory);
    if (step.fields.resend === true) return this.#tooEarly(sent);
    return sent === undefined ? undefined : unreadable(tenant, step);
  }

  async proveLogin({
    tenant,
    step,
    candidate,
    memory,
    binding,
  }: LoginAttempt): Promise<LoginProved | StepRejected | StepContinues> {
    const sent = sentCodeIn(memory);
    const number = candidate?.credential && this.#numberOf(candidate.credential);
    if (this.#sends(step, sent)) {
      return this.#send(tenant, { purpose: "login", number, binding }, {});
    }
    const isRight = this.#isRight(tenant, step, sent, { purpose: "login", number, binding });
    if (candidate === undefined || !isRight) return rejected("CODE_INVALID", texts.smsWrong());
    const authentication = this.#authentication(tenant);
    return { kind: "proved", candidate, authentication };
  }

  readonly listsCredentials = true;

  sectionTitle() {
    return texts.smsTitle();
  }

  readonly settingsSteps = {
    sms: {
      nodes: (stage: SettingsStage) => this.#setUpNodes(stage),
      sendsTo: (attempt: Pick<SecretAttempt, "tenant" | "step" | "memory">) => this.#setUpSendsTo(attempt),
      take: (attempt: SecretAttempt) => this.#setUp(attempt),
    },
  };

  settingsOffer({ memory }: SettingsStage): JsonObject {
    const phoneNumber = memory && this.#openNumber(memory);
    return phoneNumber === undefined ? {} : { phoneNumber, ...timesOf(sentCodeIn(memory)) };
  }

  #setUpNodes({ tenant, credentials, memory }: SettingsStage): readonly Node[] {
    const number = memory && this.#openNumber(memory);
    if (number === undefined) {
      const label = credentials.length === 0 ? texts.setUpSms() : texts.replaceSms();
      return [
        {
          name: numberName,
          step: "sms",
          label: texts.smsNumberLabel(tenant.settings.defaultCountry),
          messages: [],
          element: { kind: "input", type: "phone", required: true, maxLength: 64, autocomplete: "tel" },
        },
        button("sms", label),
      ];
    }
    const sent = sentCodeIn(memory);
    if (sent === undefined) {
      return [textNode("sms.help", texts.smsOffered(number)), button("sms", texts.sendSms())];
    }
    return [
      textNode("sms.help", texts.smsSent(number)),
      codeNode(tenant),
      endOtherSessionsNode("sms"),
      button("sms", texts.confirmFactor()),
      this.#resendNode(sent),
    ];
  }

  #resendNode({ resendAt }: SentCode): Node {
    return {
      name: "sms.resend",
      step: "sms",
      label: resendLabel("code"),
      messages: [],
      element: {
        ...{ kind: "button", value: true, importance: "secondary", skipsRequired: true },
        waitMs: waitUntil(resendAt, this.#deps.clock.now()),
      },
    };
  }

  #setUpSendsTo({
    tenant,
    step,
    memory,
  }: Pick<SecretAttempt, "tenant" | "step" | "memory">): string | undefined {
    const number = memory && this.#openNumber(memory);
    if (number === undefined) return numberIn(step, tenant);
    const sent = sentCodeIn(memory);
    return this.#sends(step, sent) && this.#tooEarly(sent) === undefined ? number : undefined;
  }

  /** Sends a code to the number that was typed, then keeps the number once the code is shown. */
  async #setUp({
    tenant,
    step,
    memory,
    binding,
    isFresh,
    place,
  }: SecretAttempt): Promise<SecretChanged | StepRejected | StepContinues> {
    const begun = memory && this.#openNumber(memory);
    const sent = sentCodeIn(memory);
    const number = begun ?? numberIn(step, tenant);
    if (number === undefined) return wrongNumber(step, tenant);
    const kept = { number: this.#seal(number) };
    // Security rule (SR-SMS-2): a session that somebody found open or stole sends nothing to a number.
    if (!isFresh && this.#sends(step, sent)) return { kind: "continues", memory: kept };
    if (step.fields.resend === true) {
      const tooEarly = this.#tooEarly(sent);
      if (tooEarly !== undefined) return tooEarly;
    }
    if (begun === undefined || this.#sends(step, sent)) {
      return this.#send(tenant, { purpose: "settings", number, binding }, kept);
    }
    const refused = unreadable(tenant, step);
    if (refused !== undefined) return refused;
    if (!this.#isRight(tenant, step, sent, { purpose: "settings", number, binding })) {
      return rejected("CODE_INVALID", texts.smsWrong());
    }
    const masked = maskAddress({ kind: "phone", value: number });
    return {
      kind: "changed",
      credential: { kind: "sms", secret: this.#seal(number), facts: { masked }, isSecondFactor: true },
      notice: { template: "credential_added", data: { kind: "sms", label: "", ...place } },
      authentication: this.#authentication(tenant),
      endsOtherSessions: step.fields.endOtherSessions === true,
    };
  }

  #authentication(tenant: Tenant) {
    return { kind: "sms", assuranceLevel: this.assuranceLevel(tenant), sentBy: this.sentBy } as const;
  }

  /** Whether a step has a code sent, and does not show one. */
  #sends({ fields }: SubmittedStep, sent: SentCode | undefined): boolean {
    return sent === undefined || fields.resend === true;
  }

  #tooEarly(sent: SentCode | undefined): StepRejected | undefined {
    if (sent === undefined || this.#deps.clock.now() >= sent.resendAt) return undefined;
    return {
      kind: "rejected",
      reason: "RESEND_TOO_EARLY",
      problems: { fields: [], form: [resendTooEarly()] },
    };
  }

  /** Makes a code. Where there is no number, nothing is sent, and no code is right. */
  #send({ settings }: Tenant, to: CodeTarget, memory: MethodMemory): StepContinues {
    const { length, lifetimeMs, resendAfterMs } = settings.code;
    const { codes, clock } = this.#deps;
    const code = codes.make(length).reveal();
    const at = clock.now().getTime();
    const digest = Buffer.from(codes.digest(contextOf(to), code)).toString("base64url");
    const sent = {
      digest,
      expiresAt: new Date(at + lifetimeMs).toISOString(),
      resendAt: new Date(at + resendAfterMs).toISOString(),
    };
    const minutes = Math.max(1, Math.round(lifetimeMs / 60_000));
    const template = to.purpose === "login" ? "login_code" : "verification_code";
    const content = { template, data: { code, minutes } } as const;
    return {
      kind: "continues",
      memory: { ...memory, sent },
      ...(to.number !== undefined && { sends: { recipient: to.number, content } }),
    };
  }

  #isRight({ settings }: Tenant, step: SubmittedStep, sent: SentCode | undefined, of: CodeTarget): boolean {
    const code = codeOf(settings.code.length, step) ?? "";
    // Compared also where it cannot be right, so that the time does not tell why it is not.
    const isSame = this.#deps.codes.matches(sent?.digest ?? new Uint8Array(32), contextOf(of), code);
    return isSame && of.number !== undefined && sent !== undefined && this.#deps.clock.now() < sent.expiresAt;
  }

  #numberOf({ secret }: CredentialSecret): string | undefined {
    const plain = this.#deps.sealer.open(sealingPurpose, secret);
    return plain && Buffer.from(plain).toString();
  }

  /** The number that is being set up. */
  #openNumber({ number }: MethodMemory): string | undefined {
    const plain = this.#deps.sealer.open(sealingPurpose, String(number));
    return plain && Buffer.from(plain).toString();
  }

  #seal(number: string): string {
    return this.#deps.sealer.seal(sealingPurpose, Buffer.from(number));
  }
}

/** What a code is bound to. */
interface CodeTarget {
  readonly purpose: "login" | "settings";
  /** E.164. Undefined: of nobody. */
  readonly number: string | undefined;
  readonly binding: FlowBinding;
}

function contextOf({ purpose, number = "", binding }: CodeTarget): readonly (string | Uint8Array)[] {
  return ["sms factor", purpose, number, binding.flowDigest];
}

function codeOf(length: number, { fields: { code } }: SubmittedStep): string | undefined {
  return readTypedCode(String(code ?? ""), [length]);
}

function timesOf(sent: SentCode | undefined): JsonObject {
  return sent === undefined
    ? {}
    : { expiresAt: sent.expiresAt.toISOString(), resendAt: sent.resendAt.toISOString() };
}

function textNode(name: string, text: UserMessage): Node {
  return { name, step: "sms", messages: [], element: { kind: "text", text } };
}

/** The field has no lengths and no pattern, which would cut pasted text. */
function codeNode({ settings }: Tenant): Node {
  return {
    name: codeName,
    step: "sms",
    label: codeLabel("login"),
    messages: [],
    element: {
      kind: "input",
      type: "code",
      required: true,
      autocomplete: "one-time-code",
      codeLength: settings.code.length,
    },
  };
}

function unreadable({ settings }: Tenant, step: SubmittedStep): StepRejected | undefined {
  const { length } = settings.code;
  if (codeOf(length, step) !== undefined) return undefined;
  return String(step.fields.code ?? "").trim() === ""
    ? rejected("FORM_INCOMPLETE", required(codeName))
    : rejected("CODE_MALFORMED", texts.factorCodeMalformed(length));
}

/** The number that was typed; undefined if it is none. */
function numberIn({ fields }: SubmittedStep, { settings }: Tenant): string | undefined {
  return toE164(withCountryCode(String(fields.phoneNumber ?? ""), settings.defaultCountry));
}

function wrongNumber({ fields }: SubmittedStep, { settings }: Tenant): StepRejected {
  const isEmpty = String(fields.phoneNumber ?? "").trim() === "";
  const message = isEmpty ? required(numberName) : texts.smsNumberInvalid(settings.defaultCountry);
  return rejected("FORM_INCOMPLETE", message, numberName);
}

function rejected(reason: StepRejected["reason"], message: UserMessage, name = codeName): StepRejected {
  return { kind: "rejected", reason, problems: { fields: [{ name, message }], form: [] } };
}
