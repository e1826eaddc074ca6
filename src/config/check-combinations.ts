import type { CompleteConfig } from "./complete-config.ts";
import { isAddressRange, isHostAndPort } from "./hosts.ts";
import type { Problem } from "./problems.ts";
import { durationToMs } from "./spans.ts";

/** What contradicts itself and could not work in any mode. */
export function checkCombinations(config: CompleteConfig): Problem[] {
  return [
    ...checkListeners(config),
    ...checkBudgets(config),
    ...checkProxies(config),
    ...checkOutbound(config),
    ...checkSession(config),
    ...checkPassword(config),
    ...checkSchemas(config),
  ];
}

function checkListeners({ server, access }: CompleteConfig): Problem[] {
  const problems: Problem[] = [];
  const { public: publicListener, admin } = server;
  if (publicListener.port !== 0 && publicListener.port === admin.port) {
    problems.push({ key: "server.admin.port", message: "must differ from server.public.port" });
  }
  if (admin.clientCaFile !== "" && admin.tls === undefined) {
    problems.push({ key: "server.admin.client_ca_file", message: "needs server.admin.tls" });
  }
  if (access.clientCertificates.length > 0 && admin.clientCaFile === "") {
    problems.push({ key: "access.client_certificates", message: "needs server.admin.client_ca_file" });
  }
  return problems;
}

/** A request that has no room in an empty budget would never be served. */
function checkBudgets({ server: { budgets, maxRequestBytes } }: CompleteConfig): Problem[] {
  if (budgets.requestBytes >= maxRequestBytes + 64) return [];
  const message = "must be greater than server.max_request_bytes";
  return [{ key: "server.budgets.request_bytes", message }];
}

function checkProxies({ server }: CompleteConfig): Problem[] {
  return server.trustedProxies.flatMap((range, index) => {
    if (isAddressRange(range)) return [];
    const message = "must be an IP address or a CIDR range such as 10.0.0.0/8";
    return [{ key: `server.trusted_proxies[${index}]`, message }];
  });
}

function checkOutbound({ server }: CompleteConfig): Problem[] {
  return server.outbound.allowedPrivateHosts.flatMap((host, index) => {
    if (isHostAndPort(host)) return [];
    const message =
      "must be a host such as hooks.internal or hooks.internal:8080; wildcards are not supported";
    return [{ key: `server.outbound.allowed_private_hosts[${index}]`, message }];
  });
}

function checkSession({ tenantDefaults: { session } }: CompleteConfig): Problem[] {
  if (durationToMs(session.lifetime) <= durationToMs(session.maxLifetime)) return [];
  const message = "must not be longer than tenant_defaults.session.max_lifetime";
  return [{ key: "tenant_defaults.session.lifetime", message }];
}

function checkPassword({ tenantDefaults: { password } }: CompleteConfig): Problem[] {
  const problems: Problem[] = [];
  if (password.minLength > password.maxLength) {
    const message = "must not be greater than tenant_defaults.password.max_length";
    problems.push({ key: "tenant_defaults.password.min_length", message });
  }
  // RFC 9106, section 3.1: 8 KiB for each lane.
  if (password.argon2.memoryKib < 8 * password.argon2.parallelism) {
    const message = "must be at least 8 for each lane of tenant_defaults.password.argon2.parallelism";
    problems.push({ key: "tenant_defaults.password.argon2.memory_kib", message });
  }
  return problems;
}

function checkSchemas({ tenantDefaults: { identity } }: CompleteConfig): Problem[] {
  const problems: Problem[] = [];
  const ids = identity.schemas.map(({ id }) => id);
  for (const [index, id] of ids.entries()) {
    if (ids.indexOf(id) === index) continue;
    problems.push({ key: `tenant_defaults.identity.schemas[${index}].id`, message: "is there twice" });
  }
  const known = ids.length === 0 ? ["default"] : ids;
  if (identity.defaultSchema !== "" && !known.includes(identity.defaultSchema)) {
    const message = `names no schema; there is ${known.join(", ")}`;
    problems.push({ key: "tenant_defaults.identity.default_schema", message });
  }
  return problems;
}
