import { durationMs } from "@bufbuild/protobuf/wkt";
import { isAddressRange, readHostAndPort } from "../domain/hosts.ts";
import { isPhoneCountry } from "../domain/identifier/phone.ts";
import type { CompleteConfig } from "./complete-config.ts";
import { type Problem, problemIf } from "./problems.ts";

/** Contradictions, which are refused in every mode. */
export function checkCombinations(config: CompleteConfig): Problem[] {
  return [
    ...checkListeners(config),
    ...checkBudgets(config),
    ...checkWorkers(config),
    ...checkSession(config),
    ...checkPassword(config),
    ...checkSchemas(config),
    ...checkTerms(config),
  ];
}

function checkListeners({ server, access }: CompleteConfig): Problem[] {
  const { public: publicListener, admin, trustedProxies, outbound } = server;
  const samePort = publicListener.port !== 0 && publicListener.port === admin.port;
  const hasAuthorities = admin.clientCaFile !== "";
  const grants = access.clientCertificates.length;
  const range = "must be an IP address or a CIDR range such as 10.0.0.0/8";
  const host = "must be a host such as hooks.internal or hooks.internal:8080; wildcards are not supported";
  return [
    ...problemIf(samePort, "server.admin.port", "must differ from server.public.port"),
    ...problemIf(
      hasAuthorities && admin.tls === undefined,
      "server.admin.client_ca_file",
      "needs server.admin.tls",
    ),
    ...problemIf(
      grants > 0 && !hasAuthorities,
      "access.client_certificates",
      "needs server.admin.client_ca_file",
    ),
    ...trustedProxies.flatMap((text, index) =>
      problemIf(!isAddressRange(text), `server.trusted_proxies[${index}]`, range),
    ),
    ...outbound.allowedPrivateHosts.flatMap((text, index) =>
      problemIf(readHostAndPort(text) === undefined, `server.outbound.allowed_private_hosts[${index}]`, host),
    ),
  ];
}

/** A request that has no room in an empty budget would never be served. */
function checkBudgets({ server: { budgets, maxRequestBytes } }: CompleteConfig): Problem[] {
  // In base64, as gRPC-Web text sends it, the largest request is a third larger, and one alone must find room.
  const isTooSmall = budgets.requestBytes < 2 * maxRequestBytes;
  const message = "must be at least twice server.max_request_bytes";
  return problemIf(isTooSmall, "server.budgets.request_bytes", message);
}

/** Without a configured secret each worker would make up its own, and refuse what another one has sealed. */
function checkWorkers({ server: { workers }, secrets, database }: CompleteConfig): Problem[] {
  const isMadeUp = secrets.sealing.length === 0 && database.url !== undefined;
  return problemIf(
    workers !== 1 && isMadeUp,
    "secrets.sealing",
    "must be set for several workers (server.workers) on an external database",
  );
}

function checkSession({ tenantDefaults: { session } }: CompleteConfig): Problem[] {
  const isLonger = durationMs(session.lifetime) > durationMs(session.maxLifetime);
  const message = "must not be longer than tenant_defaults.session.max_lifetime";
  return problemIf(isLonger, "tenant_defaults.session.lifetime", message);
}

function checkPassword({ tenantDefaults: { password } }: CompleteConfig): Problem[] {
  const { minLength, maxLength, argon2 } = password;
  const prefix = "tenant_defaults.password";
  return [
    ...problemIf(
      minLength > maxLength,
      `${prefix}.min_length`,
      `must not be greater than ${prefix}.max_length`,
    ),
    // RFC 9106, section 3.1: 8 KiB for each lane.
    ...problemIf(
      argon2.memoryKib < 8 * argon2.parallelism,
      `${prefix}.argon2.memory_kib`,
      `must be at least 8 for each lane of ${prefix}.argon2.parallelism`,
    ),
  ];
}

function checkTerms({ tenantDefaults: { terms } }: CompleteConfig): Problem[] {
  const ids = terms.map(({ id }) => id);
  return ids.flatMap((id, index) =>
    problemIf(ids.indexOf(id) !== index, `tenant_defaults.terms[${index}].id`, "is there twice"),
  );
}

function checkSchemas({ tenantDefaults: { identity } }: CompleteConfig): Problem[] {
  const prefix = "tenant_defaults.identity";
  const { defaultSchema, defaultCountry } = identity;
  const ids = identity.schemas.map(({ id }) => id);
  const known = ids.length === 0 ? ["default"] : ids;
  return [
    ...ids.flatMap((id, index) =>
      problemIf(ids.indexOf(id) !== index, `${prefix}.schemas[${index}].id`, "is there twice"),
    ),
    ...problemIf(
      defaultSchema !== "" && !known.includes(defaultSchema),
      `${prefix}.default_schema`,
      `names no schema; there is ${known.join(", ")}`,
    ),
    ...problemIf(
      defaultCountry !== "" && !isPhoneCountry(defaultCountry),
      `${prefix}.default_country`,
      "names no country with telephone numbers; it is an ISO 3166-1 code such as DE",
    ),
  ];
}
