import { type DescMessage, getOption } from "@bufbuild/protobuf";
import type { Path } from "@bufbuild/protobuf/reflect";
import type { ValidationResult, Violation } from "@bufbuild/protovalidate";
import { message as messageRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { domainError } from "../../domain/errors.ts";
import { joinFieldPath } from "../../domain/field-path.ts";
import {
  type FieldViolation,
  type FieldViolationReason,
  violationReasonOf,
} from "../../domain/field-violation.ts";

/**
 * The error of a request that breaks the limits of the contract: REQUEST_INVALID, whose violations name each field by its path in
 * the JSON form of the request: `password.password`, `requests.0.traits`.
 */
export function invalidRequest(
  schema: DescMessage,
  result: Exclude<ValidationResult, { kind: "valid" }>,
): Error {
  // A rule that cannot be evaluated is a mistake in the contract: INTERNAL, with the cause in the log.
  if (result.kind === "error") return result.error;
  const violations = result.violations.map((violation) => toFieldViolation(schema, violation));
  return domainError("REQUEST_INVALID", {}, { violations });
}

function toFieldViolation(schema: DescMessage, violation: Violation): FieldViolation {
  return {
    field: jsonPath(violation.field) || oneOfFields(schema, violation),
    description: describe(violation),
    reason: reasonOf(violation),
  };
}

/**
 * The reason of a violation. For fields that exclude each other, "none is set" and "several are set" are one rule; only its
 * sentence tells them apart.
 */
function reasonOf({ ruleId, message }: Violation): FieldViolationReason {
  return ruleId === "message.oneof" && message.startsWith("one of ") ? "REQUIRED" : violationReasonOf(ruleId);
}

/**
 * The name of the first field of a rule by which one of several fields is needed. The rule is on the whole message, and a field
 * says more.
 */
function oneOfFields(schema: DescMessage, { ruleId }: Violation): string {
  if (ruleId !== "message.oneof") return "";
  const [rule] = getOption(schema, messageRules).oneof;
  const first = schema.fields.find(({ name }) => name === rule?.fields[0]);
  return first?.jsonName ?? "";
}

function describe({ message, field, ruleId }: Violation): string {
  const last = field.at(-1);
  if (last?.kind === "oneof") {
    return `one of ${last.fields.map((alternative) => alternative.jsonName).join(", ")} is required`;
  }
  return message === "" ? `breaks the rule ${ruleId}` : message;
}

function jsonPath(path: Path): string {
  const parts = path.map((element) => {
    switch (element.kind) {
      case "field":
      case "extension":
        return element.jsonName;
      case "oneof":
        return element.localName;
      case "list_sub":
        return String(element.index);
      case "map_sub":
        return String(element.key);
      default: {
        const unreachable: never = element;
        return unreachable;
      }
    }
  });
  return joinFieldPath(parts);
}
