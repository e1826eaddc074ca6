import { type DomainError, domainError, invalid } from "../errors.ts";
import { type CallOrigin, newEvent } from "../event/event.ts";
import type { IdentityId } from "../ids.ts";
import type { Clock } from "../ports.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { Identity } from "./identity.ts";
import {
  actionData,
  type NewRequiredAction,
  newRequiredAction,
  type RequiredActionKind,
  type RequiredActionSource,
  type RequiredActionTiming,
} from "./required-actions.ts";
import type { IdentityStore } from "./store.ts";

/** What an operator asks for: of terms the document, and its version unless that is the one of now. */
export interface OrderedAction {
  readonly kind: RequiredActionKind;
  readonly timing: RequiredActionTiming;
  readonly terms?: { readonly document: string; readonly version: string } | undefined;
}

/** What operators ask of an identity from now on. */
export interface ActionOrder {
  readonly actions: readonly OrderedAction[];
  /** Whether its sessions end, so that the next login asks. */
  readonly endSessions: boolean;
}

/** What came of it for one identity of many. */
export type OrderResult =
  | { readonly kind: "set"; readonly identityId: IdentityId }
  | { readonly kind: "failed"; readonly identityId: IdentityId; readonly error: DomainError };

interface Deps {
  readonly identities: Pick<IdentityStore, "setRequiredActions">;
  readonly clock: Clock;
}

/** What operators ask of identities. */
export class OperatorActions {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /**
   * Asks for these actions, in the place of those that operators asked for before; what the server asks for stays. Throws
   * IDENTITY_NOT_FOUND, REQUEST_INVALID, FEATURE_OFF.
   */
  async set(
    tenant: Tenant,
    origin: CallOrigin,
    order: ActionOrder & { readonly id: IdentityId },
  ): Promise<Identity> {
    const identity = await this.#write(tenant, origin, order.id, order, actionsOf(tenant, order.actions));
    if (identity === undefined) throw domainError("IDENTITY_NOT_FOUND", {});
    return identity;
  }

  /**
   * The same for each of many, one after the other. An id that nobody has does not stop the others. Throws as `set`, before
   * anything is written.
   */
  async setEach(
    tenant: Tenant,
    origin: CallOrigin,
    order: ActionOrder & { readonly ids: readonly IdentityId[] },
    signal: AbortSignal,
  ): Promise<readonly OrderResult[]> {
    const actions = actionsOf(tenant, order.actions);
    const results: OrderResult[] = [];
    for (const identityId of order.ids) {
      signal.throwIfAborted();
      const identity = await this.#write(tenant, origin, identityId, order, actions);
      results.push(
        identity === undefined
          ? { kind: "failed", identityId, error: domainError("IDENTITY_NOT_FOUND", {}) }
          : { kind: "set", identityId },
      );
    }
    return results;
  }

  #write(
    tenant: Tenant,
    origin: CallOrigin,
    id: IdentityId,
    { endSessions }: ActionOrder,
    given: readonly NewRequiredAction[],
  ): Promise<Identity | undefined> {
    const at = this.#deps.clock.now();
    const actions = given.map((action) => newRequiredAction(action, sourceOf(origin), at));
    const about = { identityId: id };
    return this.#deps.identities.setRequiredActions(tenant, id, {
      actions,
      endSessions,
      at,
      events: [
        newEvent("identity.required_actions_set", at, origin, {
          ...about,
          data: { actions: actions.map(actionData) },
        }),
      ],
      revocationEvent: newEvent("session.revoked", at, origin, {
        ...about,
        data: { reason: "required_actions", all: true },
      }),
    });
  }
}

/** The actions of new identities, and of those that an order is for. Throws REQUEST_INVALID, FEATURE_OFF. */
export function actionsOf(
  { settings }: Tenant,
  ordered: readonly OrderedAction[],
  field = "requiredActions",
): readonly NewRequiredAction[] {
  return ordered.map(({ kind, timing, terms }, index) => {
    const isTwice = ordered.slice(0, index).some((other) => isSame(other, { kind, terms }));
    if (isTwice) {
      throw invalid({
        field: `${field}[${index}]`,
        description: "is asked for twice",
        reason: "NOT_ALLOWED",
      });
    }
    if (kind === "verify_address" && !settings.verification.enabled) {
      throw domainError("FEATURE_OFF", { field: `${field}[${index}]` });
    }
    if (terms === undefined) return { kind, timing };
    const configured = settings.terms.find(({ id }) => id === terms.document);
    if (configured === undefined) {
      throw invalid({
        field: `${field}[${index}].acceptTerms.document`,
        description: "is no document of tenant_defaults.terms in the configuration",
        reason: "NOT_ALLOWED",
      });
    }
    const version = terms.version === "" ? configured.version : terms.version;
    return { kind, timing, terms: { document: terms.document, version } };
  });
}

/** Who asks, as it is kept with the action. Only operators call. */
export function sourceOf({ actor }: CallOrigin): RequiredActionSource {
  if (actor.kind === "api_key" || actor.kind === "certificate") return actor;
  throw new Error("required actions are set by operators");
}

function isSame(one: Pick<OrderedAction, "kind" | "terms">, other: Pick<OrderedAction, "kind" | "terms">) {
  return one.kind === other.kind && one.terms?.document === other.terms?.document;
}
