import type { Challenge } from "../../flow/flow.ts";
import type { Node } from "../../flow/form.ts";
import * as messages from "../../message/message.ts";
import type { OneTimeCodes } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type {
  AddressProofMethod,
  IssuedProof,
  ProofBinding,
  ProofPurpose,
  SubmittedStep,
} from "../method.ts";

/** The one-time code: digits that are sent to an address and typed in. */
export class CodeMethod implements AddressProofMethod {
  readonly kind = "code";
  readonly useStep = "code";
  readonly authentication = { kind: "code", assuranceLevel: "aal1" } as const;
  readonly #codes: OneTimeCodes;

  constructor({ codes }: { codes: OneTimeCodes }) {
    this.#codes = codes;
  }

  requestNodes(purpose: ProofPurpose): readonly Node[] {
    return [
      {
        name: "code",
        group: "code",
        label: messages.sendCode(purpose),
        messages: [],
        element: { kind: "button", step: "code" },
      },
    ];
  }

  awaitNodes(tenant: Tenant, purpose: ProofPurpose): readonly Node[] {
    const { length } = tenant.settings.code;
    return [
      {
        name: "code.code",
        group: "code",
        label: messages.codeLabel(purpose),
        messages: [],
        element: {
          kind: "input",
          type: "code",
          required: true,
          autocomplete: "one-time-code",
          minLength: length,
          maxLength: length,
          pattern: `^[0-9]{${length}}$`,
        },
      },
      {
        name: "code",
        group: "code",
        label: messages.continueLabel(),
        messages: [],
        element: { kind: "button", step: "code" },
      },
    ];
  }

  issue(tenant: Tenant, binding: ProofBinding, at: Date): IssuedProof {
    const { length, lifetimeMs } = tenant.settings.code;
    const code = this.#codes.make(length);
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

  matches(binding: ProofBinding, challenge: Challenge, step: SubmittedStep): boolean {
    const { code } = step.fields;
    if (typeof code !== "string") return false;
    return this.#codes.matches(challenge.digest, contextOf(binding), normaliseCode(code));
  }

  invalid(purpose: ProofPurpose) {
    return { reason: "CODE_INVALID", message: messages.invalidCode(purpose) } as const;
  }
}

/**
 * Security rule: a code is good for its flow, its purpose and its address alone (ASVS V6.6.2). All three are part of
 * what is digested, so that a code for one is not even the right digits for another.
 */
function contextOf({ flowDigest, purpose, address }: ProofBinding): readonly (string | Uint8Array)[] {
  return [purpose, address, flowDigest];
}

/** People copy codes with the spaces and hyphens that mail programs put in, and type digits of their own script. */
function normaliseCode(text: string): string {
  return text.normalize("NFKC").replace(/[\s\u2010-\u2015-]/gu, "");
}
