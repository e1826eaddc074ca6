import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  RequiredActionKind as ProtoKind,
  RequiredActionTiming as ProtoTiming,
  type RequiredActionSchema,
} from "../../../../gen/ostiary/identity/v1/identity_pb.js";
import type { NewRequiredAction as ProtoNewAction } from "../../../../gen/ostiary/identity/v1/identity_service_pb.js";
import type { Identity } from "../../../domain/identity/identity.ts";
import type { OrderedAction } from "../../../domain/identity/operator-actions.ts";
import {
  pendingActions,
  type RequiredAction,
  type RequiredActionKind,
  type RequiredActionTiming,
} from "../../../domain/identity/required-actions.ts";
import type { Tenant } from "../../../domain/tenant/tenant.ts";
import { toTimestamp } from "./common.ts";

const kinds: Readonly<Record<RequiredActionKind, ProtoKind>> = {
  set_password: ProtoKind.SET_PASSWORD,
  verify_address: ProtoKind.VERIFY_ADDRESS,
  complete_traits: ProtoKind.COMPLETE_TRAITS,
  enrol_factor: ProtoKind.ENROL_FACTOR,
  accept_terms: ProtoKind.ACCEPT_TERMS,
};

const timings: Readonly<Record<RequiredActionTiming, ProtoTiming>> = {
  before_session: ProtoTiming.BEFORE_SESSION,
  when_convenient: ProtoTiming.WHEN_CONVENIENT,
};

/** Whose identity it is, and when it is looked at. */
export interface ActionContext {
  readonly tenant: Tenant;
  readonly now: Date;
}

/** What an identity is asked to do, as the contract shows it. */
export function toRequiredActions(identity: Identity, { tenant, now }: ActionContext) {
  return pendingActions(identity, tenant.settings, now).map(toRequiredAction);
}

/** The kinds of what it is asked to do, each once. */
export function toPendingActions(identity: Identity, { tenant, now }: ActionContext): ProtoKind[] {
  const pending = pendingActions(identity, tenant.settings, now).map(({ kind }) => kinds[kind]);
  return pending.length === 0 ? [] : [...new Set(pending)];
}

/** One action. */
export function toRequiredAction({
  id,
  createdAt,
  kind,
  timing,
  setBy,
  terms,
}: RequiredAction): MessageInitShape<typeof RequiredActionSchema> {
  return {
    id,
    createTime: toTimestamp(createdAt),
    kind: kinds[kind],
    timing: timings[timing],
    setBy: toSource(setBy),
    ...(terms && { details: { case: "acceptTerms" as const, value: { ...terms } } }),
  };
}

function toSource(setBy: RequiredAction["setBy"]): MessageInitShape<typeof RequiredActionSchema>["setBy"] {
  if (setBy.kind === "api_key") return { case: "apiKeyId", value: setBy.apiKeyId };
  return setBy.kind === "certificate" ? { case: "certificate", value: setBy.name } : { case: undefined };
}

/** What an operator asks for. Validation refuses one without a kind. */
export function fromNewAction({ action, timing }: ProtoNewAction): OrderedAction {
  const asked = {
    timing: timing === ProtoTiming.WHEN_CONVENIENT ? "when_convenient" : "before_session",
  } as const;
  if (action.case === "acceptTerms") {
    const { document, version } = action.value;
    return { ...asked, kind: "accept_terms", terms: { document, version } };
  }
  const known = Object.entries(kinds).find(([, kind]) => kind === action.value);
  if (known === undefined) throw new Error("validation lets no action of an unknown kind through");
  return { ...asked, kind: known[0] as RequiredActionKind };
}
