import type { IdentityId } from "../ids.ts";
import { type PageAnswer, type PageAsk, type PageTokens, readPage } from "../paging/page-tokens.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { Event, EventType } from "./event.ts";
import type { FailedAttempts } from "./failed-attempts.ts";
import type { EventStore } from "./store.ts";

/** The events that say who got into an account, or tried to. */
export type LoginEventType = Extract<
  EventType,
  "login.succeeded" | "login.failed" | "registration.succeeded" | "recovery.succeeded"
>;

/** An event of the login history. */
export interface LoginEvent extends Event {
  readonly type: LoginEventType;
}

interface Deps {
  readonly events: EventStore;
  readonly failedAttempts: Pick<FailedAttempts, "flush">;
  readonly pageTokens: PageTokens;
}

/** The login history of accounts: logins and attempts, from the event log. */
export class LoginHistory {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** The history of an identity, newest first; failed attempts at other servers may be a second late. Throws PAGE_TOKEN_INVALID. */
  async list(
    tenant: Tenant,
    identityId: IdentityId,
    page: PageAsk,
    maxPageSize: number,
  ): Promise<PageAnswer<LoginEvent>> {
    await this.#deps.failedAttempts.flush();
    const list = { tenantId: tenant.tenantId, name: "logins", filters: { identityId } };
    return readPage(this.#deps.pageTokens, list, page, maxPageSize, (request) =>
      this.#deps.events.listLogins(tenant, identityId, request),
    );
  }
}
