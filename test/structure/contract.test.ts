import { globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { DescField, DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";
import { getOption, hasOption, isFieldSet, ScalarType } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Level, MethodOptionsSchema } from "@bufbuild/protobuf/wkt";
import {
  type FieldRules,
  field as fieldRules,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
  ClientCertificateSchema,
  IdentitySchemaConfigSchema,
  ServerSchema,
  TlsSchema,
} from "../../gen/ostiary/config/v1/config_pb.js";
import { ErrorReason, ErrorReasonSchema } from "../../gen/ostiary/error/v1/error_reason_pb.js";
import { FlowSchema } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { message as messageOption } from "../../gen/ostiary/option/v1/message_option_pb.js";
import {
  Listener,
  method as methodOption,
  RateClass,
  service as serviceOption,
} from "../../gen/ostiary/option/v1/option_pb.js";
import { SessionFeedService } from "../../gen/ostiary/session/v1/session_feed_service_pb.js";
import { services } from "../../src/app-services.ts";
import { errorReasons, errorTexts } from "../../src/domain/errors.ts";
import { codeOf } from "../../src/transport/rpc/errors.ts";
import { startTestApp } from "../support/app.ts";
import { casesWith } from "../support/cases.ts";

/** The methods whose whole request is closed: by what they do, and those that hold demands, scopes or lifetimes. */
const closedMethods =
  /^(List|Revoke|Delete|Watch|Check|Issue)|^(GetCurrentSession|CreateApiKey|CreateInvitation|CreateRecoveryLink|RetryMessages)$/;

const methods = services.flatMap((service) => service.methods.map((method) => ({ service, method })));

describe("every service", () => {
  test.each(services.map((service) => [service.typeName, service] as const))(
    "%s declares the one listener that serves it",
    (_name, service: DescService) => {
      expect([Listener.PUBLIC, Listener.ADMIN]).toContain(getOption(service, serviceOption).listener);
    },
  );

  test("of the contract is in the wiring that the server serves from", async () => {
    const files = globSync("gen/ostiary/**/*_pb.js");
    const modules: object[] = await Promise.all(files.map((file) => import(resolve(file))));
    const services = modules
      .flatMap((module): unknown[] => Object.values(module))
      .filter((value): value is DescService => isDescriptor(value) && value.kind === "service");
    expect(services.length).toBeGreaterThan(10);
    expect(services.map(({ typeName }) => typeName).sort()).toEqual(
      services.map(({ typeName }) => typeName).sort(),
    );
  });

  test("is served by its listener, and by no other", async () => {
    const app = await startTestApp();
    const served = async (url: string) => {
      const found: string[] = [];
      for (const { typeName, methods } of services) {
        const [first] = methods;
        const response = await fetch(`${url}/${typeName}/${first?.name}`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: "[]",
        });
        await response.body?.cancel();
        if (response.status !== 404) found.push(typeName);
      }
      return found;
    };
    const of = (listener: Listener) =>
      services
        .filter((service) => getOption(service, serviceOption).listener === listener)
        .map(({ typeName }) => typeName);
    expect(await served(app.localUrl)).toEqual(of(Listener.PUBLIC));
    expect(await served(app.adminUrl)).toEqual(of(Listener.ADMIN));
    await app.stop();
  });
});

function isDescriptor(value: unknown): value is { readonly kind: string } {
  return typeof value === "object" && value !== null && "kind" in value;
}

describe("every method", () => {
  const cases = methods.map(
    ({ service, method }) => [`${service.name}.${method.name}`, service, method] as const,
  );

  test.each(cases)(
    "%s declares who may call it, and its rate class",
    (_name, service, method: DescMethod) => {
      const declared = hasOption(method, methodOption) ? getOption(method, methodOption).access : undefined;
      if (declared === undefined) throw new Error("declares no access");
      expect(declared.caller.case).toBeDefined();
      expect(declared.rateClass).not.toBe(RateClass.UNSPECIFIED);
      const isAdmin = getOption(service, serviceOption).listener === Listener.ADMIN;
      // Nothing on the admin listener is open, and nothing on the public one takes an API key but the feed for services that
      // check sessions there.
      expect(declared.caller.case === "apiKey").toBe(isAdmin || service === SessionFeedService);
    },
  );

  test.each(cases)("%s states its idempotency level", (_name, _service, method: DescMethod) => {
    const { options } = method.proto;
    // Unset, it would read as the first of its values.
    expect(options && isFieldSet(options, MethodOptionsSchema.field.idempotencyLevel)).toBe(true);
  });

  const byGet = casesWith(cases, ([, , method]) => method.idempotency === Level.NO_SIDE_EFFECTS);
  test.each(byGet)(
    "%s, which can be called by GET, has no secret in its request",
    (_name, _service, method) => {
      expect(secretFields(method.input)).toEqual([]);
    },
  );

  test("the check for secrets finds the ones that are there", () => {
    const submit = methods.find(({ method }) => method.name === "SubmitLoginFlow");
    expect(submit === undefined ? [] : secretFields(submit.method.input)).toEqual([
      "flow_id",
      "csrf_token",
      "device_token",
      "password.password",
      "code.code",
      "totp.code",
      "backup_code.code",
      "passkey.response",
      "sms.code",
      "sms.phone_number",
      "oidc.return_url",
      "oidc.exchange_code",
      "oidc.id_token",
      "traits",
      "client_data",
    ]);
  });

  test.each(cases)("%s limits each field of its request", (_name, _service, method: DescMethod) => {
    expect(unlimitedFields(method.input)).toEqual([]);
  });

  test("the check for limits finds what has none", () => {
    const unlimited = (schema: DescMessage) => unlimitedFields(schema).filter((path) => !path.includes("."));
    // The configuration is no request: it is as large as the operator's file.
    expect(unlimited(ServerSchema)).toEqual(["trusted_proxies"]);
    expect(unlimited(TlsSchema)).toEqual(["certificate_file", "key_file"]);
    expect(unlimited(ClientCertificateSchema)).toEqual([
      ...["name", "subject_alternative_name", "fingerprint", "scopes"],
    ]);
    expect(unlimited(IdentitySchemaConfigSchema)).toEqual(["file"]);
  });

  // Security rule (SR-SESSION-4): what an older server does not know of these requests must not let more through (option.v1, `closed`).
  test.each(casesWith(cases, ([, , { name }]) => closedMethods.test(name)))(
    "%s closes its request: leaving a field out lets more through",
    (_name, _service, method) => {
      expect(getOption(method.input, messageOption).closed).toBe(true);
    },
  );

  test("closes what is named, and nothing else", () => {
    const messages = new Set(methods.flatMap(({ method }) => messagesWithin(method.input)));
    const closed = [...messages].filter((message) => getOption(message, messageOption).closed);
    const requests = methods.filter(({ method }) => closedMethods.test(method.name));
    expect(closed.map(({ typeName }) => typeName).sort()).toEqual(
      [
        "ostiary.identity.v1.TraitFilter",
        "ostiary.option.v1.Demand",
        "ostiary.option.v1.Freshness",
        "ostiary.option.v1.NoPendingActions",
        "ostiary.option.v1.VerifiedAddress",
        ...requests.map(({ method }) => method.input.typeName),
      ].sort(),
    );
  });

  test.each(cases)("%s says in its comment who may call it and how it fails", (_name, service, method) => {
    const source = readFileSync(`proto/${service.file.proto.name}`, "utf8");
    const before = source.slice(0, source.indexOf(`  rpc ${method.name}(`));
    const comment = before.slice(before.lastIndexOf("\n\n"));
    expect(comment).toMatch(/\/\/ Access: /);
    expect(comment).toMatch(/\/\/ Errors: /);
  });
});

describe("every field of a request or response", () => {
  const messages = [
    ...new Map(
      methods
        .flatMap(({ method }) => [method.input, method.output])
        .flatMap((message) => messagesWithin(message))
        .map((message) => [message.typeName, message]),
    ).values(),
  ];
  const fields = messages.flatMap((message) => message.fields);

  // Security rule (SR-SECRET-1): what logs and traces must not show is marked, also in answers.
  test("that holds a secret says so", () => {
    const holdsSecret = /(^|_)(token|secret|password|hash|cookie|flow_id)$/;
    const named = fields.filter(({ name, fieldKind }) => fieldKind === "scalar" && holdsSecret.test(name));
    const unmarked = named.filter((field) => field.proto.options?.debugRedact !== true);
    const sealed = /\.(next_)?page_token$/;
    expect(unmarked.map(String).filter((text) => !sealed.test(text))).toEqual([]);
    expect(named.length - unmarked.length).toBeGreaterThanOrEqual(14);
    expect(FlowSchema.fields.find(({ name }) => name === "id")?.proto.options?.debugRedact).toBe(true);
  });

  // Security rule (SR-SECRET-1): the same where no name says it. What a flow is sent as free JSON, a map or bytes may be a password, a node's value
  // the form token, and an address that a browser is sent to may carry a token or the state of a sign-in.
  test("that may hold a secret by its type says so, in a flow and in addresses", () => {
    const inFlows = new Set(
      methods
        .filter(({ service }) => service.typeName.startsWith("ostiary.flow."))
        .flatMap(({ method }) => messagesWithin(method.input)),
    );
    const sent = fields.filter((field) => inFlows.has(field.parent) && isFree(field));
    const shown = fields.filter(
      (field) =>
        field.parent.typeName.startsWith("ostiary.flow.") &&
        // What a schema calls its traits in other languages, and the pages that it links to, are no secrets.
        ((field.fieldKind === "map" && field.name !== "translations" && field.name !== "urls") ||
          String(field) === "field ostiary.flow.v1.InputNode.value"),
    );
    // Those of a tenant's profile and branding and of a schema, and where a provider sends browsers back to, are for everybody.
    const known = [
      "ostiary.flow.v1.Branding",
      "ostiary.flow.v1.FormLink",
      "ostiary.flow.v1.TenantProfile",
      "ostiary.provider.v1.Provider",
    ];
    const addresses = fields.filter(
      ({ name, parent }) => /(^|_)ur[il]$/.test(name) && !known.includes(parent.typeName),
    );
    const wanted = [...sent, ...shown, ...addresses];
    expect(wanted.map(String)).toEqual(
      expect.arrayContaining([
        "field ostiary.flow.v1.SubmitRegistrationFlowRequest.traits",
        "field ostiary.flow.v1.InputNode.value",
        "field ostiary.flow.v1.Redirect.fields",
        "field ostiary.flow.v1.Redirect.url",
        "field ostiary.identity.v1.CreateRecoveryLinkResponse.recovery_url",
      ]),
    );
    expect(wanted.filter((field) => field.proto.options?.debugRedact !== true).map(String)).toEqual([]);
  });

  test("has a name that is no keyword in Python, whose stubs could not be written then", () => {
    const keywords = `False None True and as assert async await break class continue def del elif else except finally
      for from global if import in is lambda nonlocal not or pass raise return try while with yield`;
    const forbidden = new Set(keywords.split(/\s+/));
    expect(fields.filter(({ name }) => forbidden.has(name)).map(String)).toEqual([]);
  });
});

describe("error reasons", () => {
  test("of the domain equal those of the contract", () => {
    const contract = ErrorReasonSchema.values
      .filter((value) => value.number !== ErrorReason.UNSPECIFIED)
      .map((value) => value.name.replace(/^ERROR_REASON_/, ""));
    expect(contract).toEqual(errorReasons);
  });

  test("are short enough for google.rpc.ErrorInfo", () => {
    for (const reason of errorReasons) expect(reason).toMatch(/^[A-Z][A-Z0-9_]{1,62}$/);
  });

  const withMetadata = casesWith(errorReasons, (reason) => errorTexts[reason].metadata.length > 0);
  test.each(withMetadata)("%s has metadata whose keys are as AIP-193 wants them", (reason) => {
    for (const key of errorTexts[reason].metadata) expect(key).toMatch(/^[a-z][a-zA-Z0-9]{0,63}$/);
  });

  test.each(errorReasons)("%s has the code and the metadata that its comment promises", (reason) => {
    const source = readFileSync("proto/ostiary/error/v1/error_reason.proto", "utf8");
    const before = source.slice(0, source.indexOf(`  ERROR_REASON_${reason} = `));
    const comment = before.slice(before.lastIndexOf(";")).replace(/\s*\/\/\s*/g, " ");
    const [, code, metadata = ""] = /Code: ([A-Z_]+)\. Metadata: (.+)\.$/.exec(comment.trim()) ?? [];
    expect(code).toBe(Code[codeOf(reason)].replace(/([a-z])([A-Z])/g, "$1_$2").toUpperCase());
    const keys = metadata.replace(/ \([^)]*\)/g, "").split(", ");
    expect(keys).toEqual(errorTexts[reason].metadata.length === 0 ? ["none"] : errorTexts[reason].metadata);
  });
});

/** A message and all of ours that it holds. */
function messagesWithin(message: DescMessage, seen = new Set<DescMessage>()): DescMessage[] {
  if (seen.has(message) || !message.typeName.startsWith("ostiary.")) return [];
  seen.add(message);
  return [
    message,
    ...message.fields.flatMap(({ message: held }) => (held ? messagesWithin(held, seen) : [])),
  ];
}

/** Secret fields of a request, by path. */
function secretFields(message: DescMessage, prefix = "", seen = new Set<string>()): string[] {
  if (seen.has(message.typeName)) return [];
  const within = new Set([...seen, message.typeName]);
  return message.fields.flatMap((field) => {
    const own = field.proto.options?.debugRedact === true ? [prefix + field.name] : [];
    const nested =
      field.message === undefined ? [] : secretFields(field.message, `${prefix}${field.name}.`, within);
    return [...own, ...nested];
  });
}

/** Whether a field takes anything at all: free JSON, a map, bytes. */
function isFree(field: DescField): boolean {
  const free = new Set(["google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"]);
  if (field.fieldKind === "map") return true;
  if (field.scalar === ScalarType.BYTES) return true;
  return field.message !== undefined && free.has(field.message.typeName);
}

/** Fields of a request that could grow without limit, by path. */
function unlimitedFields(message: DescMessage, prefix = "", seen = new Set<string>()): string[] {
  if (seen.has(message.typeName) || !message.typeName.startsWith("ostiary.")) return [];
  const within = new Set([...seen, message.typeName]);
  return message.fields.flatMap((field) => {
    const own = isLimited(field) ? [] : [prefix + field.name];
    const nested =
      field.message === undefined ? [] : unlimitedFields(field.message, `${prefix}${field.name}.`, within);
    return [...own, ...nested];
  });
}

function isLimited(field: DescField): boolean {
  // Messages are limited by their own fields; Structs by the domain, which bounds traits and metadata.
  if (field.fieldKind === "message") return true;
  if (field.fieldKind === "scalar" && field.scalar === ScalarType.BOOL) return true;
  if (!hasOption(field, fieldRules)) return false;
  const rules = getOption(field, fieldRules);
  if (field.fieldKind !== "list") return limits(rules);
  if (rules.type.case !== "repeated" || rules.type.value.maxItems === 0n) return false;
  const { items } = rules.type.value;
  return field.listKind === "message" || (items !== undefined && limits(items));
}

function limits({ type }: FieldRules): boolean {
  if (type.case !== "string") return type.case !== undefined;
  const { len, maxLen, maxBytes, wellKnown } = type.value;
  // A URI or an address may be as long as one likes; a UUID may not.
  return len > 0n || maxLen > 0n || maxBytes > 0n || wellKnown.case === "uuid";
}
