import type { MessageInitShape } from "@bufbuild/protobuf";
import { MethodKind } from "../../../../gen/ostiary/common/v1/method_kind_pb.js";
import {
  LoginFailureReason,
  LoginOutcome,
  LoginRecordPurpose,
  type LoginRecordSchema,
} from "../../../../gen/ostiary/identity/v1/login_record_pb.js";
import type { LoginEvent, LoginEventType } from "../../../domain/event/login-history.ts";
import type { JsonValue } from "../../../domain/json.ts";
import { toTimestamp } from "./common.ts";

const { SIGN_IN, REFRESH, REGISTRATION, RECOVERY } = LoginRecordPurpose;
const { SUCCEEDED, FAILED } = LoginOutcome;

const kinds: Record<LoginEventType, readonly [LoginRecordPurpose, LoginOutcome]> = {
  "login.succeeded": [SIGN_IN, SUCCEEDED],
  "login.failed": [SIGN_IN, FAILED],
  "registration.succeeded": [REGISTRATION, SUCCEEDED],
  "recovery.succeeded": [RECOVERY, SUCCEEDED],
};

/** By the names that events give to methods. */
const methods: Readonly<Record<string, MethodKind>> = {
  password: MethodKind.PASSWORD,
  code: MethodKind.CODE,
  code_recovery: MethodKind.CODE,
  link: MethodKind.LINK,
  link_recovery: MethodKind.LINK,
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
    method: methods[textOf(method)] ?? MethodKind.UNSPECIFIED,
    failureReason: failureReasons[textOf(reason)] ?? LoginFailureReason.UNSPECIFIED,
    sessionId: event.sessionId ?? "",
    ipAddress: event.origin.ipAddress ?? "",
    userAgent: event.origin.userAgent ?? "",
  };
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
