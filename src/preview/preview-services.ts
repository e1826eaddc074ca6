import type { ConnectRouter, HandlerContext, Interceptor } from "@connectrpc/connect";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { VerificationService } from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import type { FlowKind } from "../domain/kinds.ts";
import type { Clock } from "../domain/ports.ts";
import type { Tenant } from "../domain/tenant/tenant.ts";
import { toFlow } from "../transport/rpc/convert/flow.ts";
import { toIdentityProfile } from "../transport/rpc/convert/identity.ts";
import { toLoginRecord } from "../transport/rpc/convert/login-record.ts";
import { toSession } from "../transport/rpc/convert/session.ts";
import { toTenantProfile } from "../transport/rpc/convert/tenant-profile.ts";
import { toConnectError } from "../transport/rpc/errors.ts";
import { type Preview, refuseOn } from "./preview.ts";
import type { PreviewState } from "./preview-state.ts";

/** Names the state that a browser is in, for the calls that name no flow. */
const cookieName = "ostiary_preview";

/** How many logins are listed at once. */
const loginsAtOnce = 20;

/** The cookie of a state. It holds the name of a state, which is no secret, and is good for this browser session alone. */
export function cookieOf({ name }: PreviewState): string {
  return `${cookieName}=${name.replace("/", ".")}; Path=/; HttpOnly; SameSite=Lax`;
}

/** The state that a Cookie header names; undefined if it names none. */
function stateInCookie(preview: Preview, header: string | null | undefined): PreviewState | undefined {
  const pair = (header ?? "").split(/;\s*/).find((each) => each.startsWith(`${cookieName}=`));
  return preview.find(pair?.slice(cookieName.length + 1).replace(".", "/"));
}

interface PreviewServicesDependencies {
  readonly preview: Preview;
  readonly tenant: Tenant;
  readonly clock: Clock;
}

/**
 * The calls of the pages, answered from the states: which one the flow's id says, or else the cookie. A submit leads to the state that the
 * table of the flow says. What these pages do not call is not there.
 */
export function previewServices({ preview, tenant, clock }: PreviewServicesDependencies) {
  const stateOf = ({ requestHeader }: HandlerContext) => stateInCookie(preview, requestHeader.get("cookie"));
  const goTo = ({ responseHeader }: HandlerContext, state: PreviewState | undefined) => {
    if (state !== undefined) responseHeader.append("set-cookie", cookieOf(state));
  };
  const create = (kind: FlowKind) => async (_request: unknown, context: HandlerContext) => ({
    flow: toFlow(await preview.begin(stateOf(context), kind)),
  });
  const sessionsIn = async (context: HandlerContext) => {
    const { sessions, ...rest } = await preview.sessionsIn(stateOf(context));
    const [current] = sessions;
    const shown = sessions.map((session) =>
      toSession(session, { tenant, now: clock.now() }, { ...(current && { currentId: current.id }) }),
    );
    return { ...rest, shown };
  };
  const done = (context: HandlerContext) => {
    refuseOn("sessions", stateOf(context));
    return {};
  };

  return (router: ConnectRouter): void => {
    router.service(FlowService, {
      async getFlow({ flowId }) {
        return { flow: toFlow(await preview.draw(preview.stateOf(flowId))), replaced: false };
      },
      async submitForm({ flowId, step }, context) {
        const next = await preview.after(preview.stateOf(flowId), step);
        goTo(context, next ?? preview.find("sessions/several"));
        if (next === undefined) return { outcome: { case: "completed", value: {} } };
        return { flow: toFlow(await preview.draw(next)), outcome: { case: "nextStep", value: {} } };
      },
      async getTenantProfile(_request, context) {
        return { profile: toTenantProfile(await preview.profileIn(stateOf(context))) };
      },
    });
    router.service(LoginService, { createLoginFlow: create("login") });
    router.service(RegistrationService, { createRegistrationFlow: create("registration") });
    router.service(VerificationService, { createVerificationFlow: create("verification") });
    router.service(RecoveryService, { createRecoveryFlow: create("recovery") });
    router.service(SettingsService, { createSettingsFlow: create("settings") });
    router.service(SessionService, {
      async getCurrentSession(_request, context) {
        const { shown, identity, otherIdentityShown } = await sessionsIn(context);
        return { session: shown[0], identity: toIdentityProfile(identity), otherIdentityShown };
      },
      async listOwnSessions(_request, context) {
        const { shown, hasMore } = await sessionsIn(context);
        return { sessions: shown, nextPageToken: hasMore ? "more" : "" };
      },
      async listOwnLoginHistory({ pageToken }, context) {
        const { logins } = await preview.sessionsIn(stateOf(context));
        const from = Number(pageToken);
        const to = from + loginsAtOnce;
        const records = logins.slice(from, to).map(toLoginRecord);
        return { records, nextPageToken: to < logins.length ? String(to) : "" };
      },
      revokeOwnSession: (_request, context) => done(context),
      revokeOtherSessions: (_request, context) => done(context),
      extendCurrentSession: (_request, context) => done(context),
      logout(_request, context) {
        refuseOn("sessions", stateOf(context));
        goTo(context, preview.find("sessions/signed-out"));
        return {};
      },
    });
  };
}

/** Answers errors as the server does: with their reasons and their sentences for people. */
export const sendErrors: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    throw toConnectError(error, "preview");
  }
};
