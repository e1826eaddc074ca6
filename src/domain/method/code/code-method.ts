import { button, type Node } from "../../form/form.ts";
import type { SubmittedStep } from "../../form/submission.ts";
import type { FlowKind } from "../../kinds.ts";
import type { OneTimeCodes } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import * as texts from "../../user-message/user-messages.ts";
import type {
  Challenge,
  ChallengeBinding,
  ChallengeMethod,
  CodeStrength,
  IssuedChallenge,
} from "../method.ts";
import { longCodeLength, readTypedCode } from "../typed-code.ts";

/** The one-time code: digits that are sent to an address and typed in. */
export class CodeMethod implements ChallengeMethod {
  readonly kind = "code";
  readonly useStep = "code";
  readonly authentication = { kind: "code", assuranceLevel: "aal1" } as const;
  readonly #codes: OneTimeCodes;

  constructor({ codes }: { codes: OneTimeCodes }) {
    this.#codes = codes;
  }

  isEnabled({ settings }: Tenant, flow: FlowKind): boolean {
    return settings.code.enabledFor.has(flow);
  }

  requestNodes(purpose: FlowKind): readonly Node[] {
    return [button("sendCode", texts.sendCode(purpose))];
  }

  /** The field has no lengths and no pattern, which would cut pasted text; `readTypedCode` reads it. */
  useNodes(purpose: FlowKind, { settings }: Tenant): readonly Node[] {
    const { length: codeLength } = settings.code;
    return [
      {
        name: "code.code",
        step: "code",
        label: texts.codeLabel(purpose),
        messages: [],
        element: { kind: "input", type: "code", required: true, autocomplete: "one-time-code", codeLength },
      },
      button("code", texts.continueLabel()),
    ];
  }

  issue(tenant: Tenant, binding: ChallengeBinding, at: Date, strength: CodeStrength): IssuedChallenge {
    const { length, lifetimeMs } = tenant.settings.code;
    const code = this.#codes.make(strength === "long" ? longCodeLength : length);
    return {
      secret: code,
      challenge: {
        kind: "code",
        digest: this.#codes.digest(contextOf(binding), code.reveal()),
        expiresAt: new Date(at.getTime() + lifetimeMs),
        attempts: 0,
      },
    };
  }

  unreadable(tenant: Tenant, step: SubmittedStep) {
    if (codeOf(tenant, step) !== undefined) return undefined;
    const { length } = tenant.settings.code;
    return { reason: "CODE_MALFORMED", message: texts.malformedCode(length, longCodeLength) } as const;
  }

  matches(
    tenant: Tenant,
    binding: ChallengeBinding,
    challenge: Challenge,
    step: SubmittedStep,
    strength: CodeStrength,
  ): boolean {
    const code = codeOf(tenant, step) ?? "";
    const isRight = this.#codes.matches(challenge.digest, contextOf(binding), code);
    return isRight && (strength === "usual" || code.length === longCodeLength);
  }

  invalid(purpose: FlowKind) {
    return { reason: "CODE_INVALID", message: texts.invalidCode(purpose) } as const;
  }
}

/**
 * Security rule (SR-CODE-4): a code is good for its flow, its purpose and its address alone (ASVS V6.6.2). All three are part of
 * what is digested, so that a code for one is not even the right digits for another.
 */
function contextOf({ flowDigest, purpose, address }: ChallengeBinding): readonly (string | Uint8Array)[] {
  return [purpose, address, flowDigest];
}

function codeOf(tenant: Tenant, { fields: { code } }: SubmittedStep): string | undefined {
  if (typeof code !== "string") return undefined;
  return readTypedCode(code, [tenant.settings.code.length, longCodeLength]);
}
