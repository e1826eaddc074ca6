// SPDX-License-Identifier: Apache-2.0
import type { DescMethod } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { type AccessRule, accessRuleOf } from "./access-rule.ts";
import { type AccessGuardOptions, type GuardView, readAccessGuardOptions } from "./guard-options.ts";
import { SessionRefusedError } from "./refusal.ts";
import { headOfFetch } from "./request-head.ts";
import { createDemandsCheck, type SignedIn } from "./session-checker.ts";
import { findSignedIn, markAsChecked, type SessionCarrier, sessionKey } from "./session-guard.ts";

/** A guard of Connect services whose methods declare who may call them. */
export interface AccessGuard<View extends GuardView = "identity"> {
  /**
   * The option `requestGate` of a Connect router or adapter: it runs before a request's body is read, for every protocol.
   * It rejects with a ConnectError for callers whom the method does not admit.
   */
  readonly requestGate: (context: HandlerContext) => Promise<void>;
  /** The caller, in a method for holders of a session. Throws in a method for anyone, because nobody was checked there. */
  sessionOf(carrier: SessionCarrier): SignedIn<View>;
}

/**
 * Makes a guard of Connect services that reads the option `(ostiary.option.v1.method).access` of their methods. `anyone` lets
 * everybody through; `session` lets through the holders of a session that meets all its demands. Nobody can call any other
 * method, nor a method without the option. Throws a TypeError for options that cannot be meant.
 */
export function requireAccess<View extends GuardView = "identity">(
  options: AccessGuardOptions<View>,
): AccessGuard<View> {
  const check = createDemandsCheck<View>(options, readAccessGuardOptions(options));
  const rules = new WeakMap<DescMethod, AccessRule>();
  const made = new WeakSet<object>();

  function ruleOf(method: DescMethod): AccessRule {
    const rule = rules.get(method) ?? accessRuleOf(method);
    rules.set(method, rule);
    return rule;
  }

  return {
    async requestGate(context) {
      const rule = ruleOf(context.method);
      if (rule.kind === "anyone") return;
      // An answer for one person is not for a cache; the method can set another header.
      context.responseHeader.set("cache-control", "no-store");
      if (rule.kind === "undeclared") throw undeclaredRefusal(context.method).toConnectError();
      const { requestMethod: method, url, requestHeader: headers, signal } = context;
      try {
        const signedIn = await check(() => headOfFetch({ method, url, headers }), rule.demands, signal);
        context.values.set(sessionKey, markAsChecked(signedIn, made));
      } catch (error) {
        throw error instanceof SessionRefusedError ? error.toConnectError() : error;
      }
    },
    sessionOf: (carrier) => findSignedIn<View>(carrier, made),
  };
}

function undeclaredRefusal(method: DescMethod): SessionRefusedError {
  return new SessionRefusedError({
    status: 403,
    reason: "ACCESS_UNDECLARED",
    message: "The method declares no access rule that the guard knows, so nobody may call it.",
    remedy:
      "Declare anyone or session, with demands that this version of @ostiary/sdk knows, in the method's option (ostiary.option.v1.method).access.",
    metadata: { method: `${method.parent.typeName}/${method.name}` },
  });
}
