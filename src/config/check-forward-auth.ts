import type { ForwardAuthRuleConfig } from "../../gen/ostiary/config/v1/config_pb.js";
import { readTarget } from "../domain/forward-auth/target.ts";
import { isAddressRange, isLoopbackAddress } from "../domain/hosts.ts";
import { hostMatches } from "../domain/tenant/protected-hosts.ts";
import type { CompleteConfig } from "./complete-config.ts";
import { prefixOf } from "./forward-auth.ts";
import { type Problem, problemIf } from "./problems.ts";

const listenerKey = "server.forward_auth";
const rulesKey = "tenant_defaults.forward_auth.rules";

/** Checks the listener that proxies ask, and the rules that it answers by. */
export function checkForwardAuth(config: CompleteConfig): Problem[] {
  const { rules } = config.tenantDefaults.forwardAuth;
  const templates = new Set(config.tenantDefaults.session.tokens.templates.map(({ name }) => name));
  const isUnserved = rules.length > 0 && config.server.forwardAuth === undefined;
  return [
    ...problemIf(isUnserved, rulesKey, `needs ${listenerKey}`),
    ...checkListener(config.server),
    ...rules.flatMap((rule, index) => checkRule(rule, `${rulesKey}[${index}]`)),
    ...rules.flatMap(({ access }, index) =>
      problemIf(
        access.case === "session" && access.value.template !== "" && !templates.has(access.value.template),
        `${rulesKey}[${index}].session.template`,
        "names none of tenant_defaults.session.tokens.templates",
      ),
    ),
    ...rules.flatMap((rule, index) =>
      problemIf(
        rules.findIndex((other) => isSame(rule, other)) !== index,
        `${rulesKey}[${index}]`,
        "is there twice: another rule has the same host and path_prefix",
      ),
    ),
  ];
}

function checkListener({ public: publicListener, admin, forwardAuth }: CompleteConfig["server"]): Problem[] {
  if (forwardAuth === undefined) return [];
  const { host, port, peers, tls, clientCaFile, allowPlainTextBeyondLoopback } = forwardAuth;
  const others = [publicListener.port, admin.port];
  const isPlain = tls === undefined && !allowPlainTextBeyondLoopback;
  return [
    ...problemIf(
      port !== 0 && others.includes(port),
      `${listenerKey}.port`,
      "must differ from the ports of the other listeners",
    ),
    // Security rule (SR-FORWARD-4): who may ask may say whose request it is, so nobody may until somebody is named.
    ...problemIf(
      peers.length === 0 && clientCaFile === "",
      `${listenerKey}.peers`,
      "must name the proxies that may ask, unless client_ca_file does",
    ),
    ...problemIf(
      clientCaFile !== "" && tls === undefined,
      `${listenerKey}.client_ca_file`,
      `needs ${listenerKey}.tls`,
    ),
    ...peers.flatMap((peer, index) => [
      ...problemIf(
        !isAddressRange(peer),
        `${listenerKey}.peers[${index}]`,
        "must be an IP address or a CIDR range such as 10.0.0.0/8",
      ),
      ...problemIf(/\/0+$/.test(peer), `${listenerKey}.peers[${index}]`, "must not be everybody"),
    ]),
    // Security rule (SR-CONFIG-1): session cookies do not cross a network in plain text unless the operator allows it.
    ...problemIf(
      !isLoopbackAddress(host) && isPlain,
      `${listenerKey}.host`,
      `beyond loopback needs ${listenerKey}.tls, or ${listenerKey}.allow_plain_text_beyond_loopback`,
      { insecure: true },
    ),
  ];
}

function checkRule(rule: ForwardAuthRuleConfig, key: string): Problem[] {
  const { host, access } = rule;
  const isWildcard = host.startsWith("*.");
  const prefix = prefixOf(rule);
  const target = (name: string, uri: string) =>
    readTarget({ method: "GET", scheme: "https", host: name, uri });
  const named = target(isWildcard ? host.slice(2) : host, "/");
  const isHost = typeof named === "object" && named.host === (isWildcard ? host.slice(2) : host);
  // Written decoded, so that it is compared as it stands.
  const below = target("host", encodeURI(prefix));
  const isPath = typeof below === "object" && below.path === prefix;
  const isUnnamed = isWildcard && access.case === "session" && access.value.audience === "";
  return [
    ...problemIf(
      !isHost,
      `${key}.host`,
      "must be a host in small letters such as app.example.com, localhost:8080 or *.example.com",
    ),
    ...problemIf(
      !isPath,
      `${key}.path_prefix`,
      "must begin with a slash and be written decoded, without a query, dot segments, empty segments or semicolons",
    ),
    ...problemIf(isUnnamed, `${key}.session.audience`, "must be set for the hosts of a wildcard"),
  ];
}

function isSame(one: ForwardAuthRuleConfig, other: ForwardAuthRuleConfig): boolean {
  const prefixes = [prefixOf(one), prefixOf(other)];
  const [left, right] =
    one.access.case === "session" && other.access.case === "session"
      ? prefixes.map((prefix) => prefix.toLowerCase())
      : prefixes;
  return one.host === other.host && left === right;
}

/** Warns of rules for sessions at hosts that browsers send no session cookie to. */
export function checkForwardAuthCookies({ tenantDefaults }: CompleteConfig): Problem[] {
  const { forwardAuth, session, publicUrl } = tenantDefaults;
  const { domain } = session.cookie;
  const own = URL.canParse(publicUrl) ? new URL(publicUrl).hostname : "localhost";
  const gets = (host: string) => {
    const name = host.replace(/:\d+$/, "");
    if (domain === "") return name === own;
    return name === domain || hostMatches(`*.${domain}`, name.replace(/^\*\./, "any."));
  };
  return forwardAuth.rules.flatMap(({ host, access }, index) =>
    problemIf(
      access.case === "session" && !gets(host),
      `${rulesKey}[${index}].host`,
      "browsers send no session cookie to this host, so that only bearer tokens get through: set tenant_defaults.session.cookie.domain to a domain that it shares with public_url",
    ),
  );
}
