import type { MessageInitShape } from "@bufbuild/protobuf";
import { MethodKind as ProtoMethodKind } from "../../../../gen/ostiary/common/v1/method_kind_pb.js";
import {
  LoginFailureReason,
  LoginOutcome,
  LoginRecordPurpose,
  type LoginRecordSchema,
} from "../../../../gen/ostiary/identity/v1/login_record_pb.js";
import type { LoginEvent, LoginEventType } from "../../../domain/event/login-history.ts";
import type { JsonValue } from "../../../domain/json.ts";
import { toTimestamp } from "./common.ts";
import { methodKinds } from "./method.ts";

const { SIGN_IN, REFRESH, REGISTRATION, RECOVERY } = LoginRecordPurpose;
const { SUCCEEDED, FAILED } = LoginOutcome;

const kinds: Record<LoginEventType, readonly [LoginRecordPurpose, LoginOutcome]> = {
  "login.succeeded": [SIGN_IN, SUCCEEDED],
  "login.failed": [SIGN_IN, FAILED],
  "registration.succeeded": [REGISTRATION, SUCCEEDED],
  "recovery.succeeded": [RECOVERY, SUCCEEDED],
};

/** The reasons of failures, by the reasons in events. */
const failureReasons: Readonly<Record<string, LoginFailureReason>> = {
  CREDENTIALS_INVALID: LoginFailureReason.CREDENTIALS_INVALID,
  CODE_INVALID: LoginFailureReason.CODE_INVALID,
  CODE_TRIES_EXCEEDED: LoginFailureReason.CODE_TRIES_EXCEEDED,
  LINK_INVALID: LoginFailureReason.LINK_INVALID,
};

/** An event of the login history as the contract shows it. */
export function toLoginRecord(event: LoginEvent): MessageInitShape<typeof LoginRecordSchema> {
  const [purpose, outcome] = kinds[event.type];
  const { method, reason, refresh } = event.data;
  return {
    id: event.id,
    createTime: toTimestamp(event.createdAt),
    purpose: refresh === true ? REFRESH : purpose,
    outcome,
    method: methodOf(textOf(method)),
    failureReason: failureReasons[textOf(reason)] ?? LoginFailureReason.UNSPECIFIED,
    sessionId: event.sessionId ?? "",
    ipAddress: event.origin.ipAddress ?? "",
    userAgent: event.origin.userAgent ?? "",
  };
}

/** The method, by the name that events give to it; those of before name a recovery by it as well. */
function methodOf(name: string): ProtoMethodKind {
  const kinds: Readonly<Record<string, ProtoMethodKind>> = methodKinds;
  return kinds[name.replace(/_recovery$/, "")] ?? ProtoMethodKind.UNSPECIFIED;
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
