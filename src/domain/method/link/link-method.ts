import { button, type Node } from "../../form/form.ts";
import type { FlowKind } from "../../kinds.ts";
import type { Tokens } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import * as texts from "../../user-message/user-messages.ts";
import type { Challenge, ChallengeBinding, ChallengeMethod, IssuedChallenge } from "../method.ts";

/**
 * The link: 256 random bits that are sent to an address. Opening it begins a flow on the device that it is opened on;
 * one click there uses it.
 */
export class LinkMethod implements ChallengeMethod {
  readonly kind = "link";
  readonly useStep = "confirmLink";
  readonly authentication = { kind: "link", assuranceLevel: "aal1" } as const;
  readonly #tokens: Tokens;

  constructor({ tokens }: { tokens: Tokens }) {
    this.#tokens = tokens;
  }

  /** A link leads to a page. */
  isEnabled({ settings }: Tenant, flow: FlowKind): boolean {
    return settings.link.enabledFor.has(flow) && settings.uiUrls[flow] !== undefined;
  }

  requestNodes(purpose: FlowKind): readonly Node[] {
    return [button("sendLink", texts.sendLink(purpose))];
  }

  /** There is nothing to type in: the link is opened, and one click uses it. */
  useNodes(): readonly Node[] {
    return [button("confirmLink", texts.continueLabel())];
  }

  issue(tenant: Tenant, _binding: ChallengeBinding, at: Date): IssuedChallenge {
    const { token, digest } = this.#tokens.issue("link", tenant.name);
    return {
      secret: token,
      challenge: {
        kind: "link",
        digest,
        expiresAt: new Date(at.getTime() + tenant.settings.link.lifetimeMs),
        attempts: 0,
      },
    };
  }

  /** Nothing is typed: the flow says which link was opened. */
  unreadable(): undefined {
    return undefined;
  }

  /**
   * The holder of the flow that an opened link began has shown that link.
   *
   * Security rule (SR-CODE-6): that one link, and none that its flow has sent since, maybe to another address (ASVS V6.6.2).
   */
  matches(_tenant: Tenant, { opened }: ChallengeBinding, challenge: Challenge): boolean {
    return challenge.kind === "link" && Buffer.from(challenge.digest).toString("base64url") === opened;
  }

  invalid(purpose: FlowKind) {
    return { reason: "LINK_INVALID", message: texts.invalidLink(purpose) } as const;
  }
}
