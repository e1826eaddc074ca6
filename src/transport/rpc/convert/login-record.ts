import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  LoginMethod,
  LoginOutcome,
  LoginRecordKind,
  type LoginRecordSchema,
} from "../../../../gen/ostiary/identity/v1/login_record_pb.js";
import type { LoginEvent, LoginEventType } from "../../../domain/event/login-history.ts";
import type { JsonValue } from "../../../domain/json.ts";
import { toTimestamp } from "./common.ts";

const { LOGIN, REGISTRATION, RECOVERY } = LoginRecordKind;
const { SUCCEEDED, FAILED } = LoginOutcome;

const kinds: Record<LoginEventType, readonly [LoginRecordKind, LoginOutcome]> = {
  "login.succeeded": [LOGIN, SUCCEEDED],
  "login.failed": [LOGIN, FAILED],
  "registration.succeeded": [REGISTRATION, SUCCEEDED],
  "recovery.succeeded": [RECOVERY, SUCCEEDED],
};

/** By the names that events give to methods. */
const methods: Readonly<Record<string, LoginMethod>> = {
  password: LoginMethod.PASSWORD,
  code: LoginMethod.CODE,
  link: LoginMethod.LINK,
};

/** An event of the login history as the contract shows it. */
export function toLoginRecord(event: LoginEvent): MessageInitShape<typeof LoginRecordSchema> {
  const [kind, outcome] = kinds[event.type];
  const { method, reason, refresh } = event.data;
  return {
    id: event.id,
    createTime: toTimestamp(event.createdAt),
    kind,
    outcome,
    method: methods[textOf(method)] ?? LoginMethod.UNSPECIFIED,
    failureReason: textOf(reason),
    refresh: refresh === true,
    sessionId: event.sessionId ?? "",
    ipAddress: event.origin.ipAddress ?? "",
    userAgent: event.origin.userAgent ?? "",
  };
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
