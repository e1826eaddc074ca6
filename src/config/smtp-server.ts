import { domainToASCII } from "node:url";
import type { SmtpConfig } from "../../gen/ostiary/config/v1/config_pb.js";
import { bareHost, isAddress, readHostAndPort } from "../domain/hosts.ts";
import { Secret } from "../domain/secret.ts";
import type { Problem } from "./problems.ts";
import { credentialMistake } from "./url-credentials.ts";

/** An SMTP server, as the transport connects to it. */
export interface SmtpServer {
  /** A name in its ASCII form, or an address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Whether TLS begins with the first byte (`smtps://`) rather than by STARTTLS. */
  readonly implicitTls: boolean;
  /** Undefined: the server asks for no password. */
  readonly login: { readonly user: string; readonly password: Secret } | undefined;
}

/** A server, or the problems of its keys. Messages never quote a URL or a password. */
export type SmtpServerResult =
  | { readonly kind: "server"; readonly server: SmtpServer }
  | { readonly kind: "wrong"; readonly problems: readonly Problem[] };

const prefix = "tenant_defaults.courier.email.smtp";
const implicitTlsPort = 465;
const submissionPort = 587;

/** Reads the server from the URL or, where there is none, from the single keys. */
export function readSmtpServer(
  config: Pick<SmtpConfig, "host" | "port" | "user" | "implicitTls">,
  secrets: { readonly url: Secret | undefined; readonly password: Secret | undefined },
): SmtpServerResult {
  return secrets.url === undefined
    ? readKeys(config, secrets.password)
    : readSmtpUrl(secrets.url.reveal(), `${prefix}.url`);
}

/** Reads `smtp://user:password@host:587` or `smtps://…:465`. */
export function readSmtpUrl(text: string, key: string): SmtpServerResult {
  const wrong = (message: string): SmtpServerResult => ({ kind: "wrong", problems: [{ key, message }] });
  const form = "must be a URL such as smtp://user:password@mail.example.com:587 or smtps://…:465";
  const [, scheme, rest = ""] = /^(smtps?):\/\/(.*)$/is.exec(text) ?? [];
  if (scheme === undefined) return wrong(form);
  // Such a URL has no path, query or fragment, so all before the last @ is user and password.
  const end = rest.lastIndexOf("@");
  const mistake = credentialMistake(rest.slice(0, Math.max(end, 0)));
  if (mistake !== undefined) return wrong(mistake);
  if (!URL.canParse(text)) return wrong(form);
  const url = new URL(text);
  if (url.hostname === "" || !["", "/"].includes(url.pathname) || url.search !== "" || url.hash !== "") {
    return wrong(form);
  }
  const host = readHost(url.hostname);
  if (host === undefined) return wrong("has a host that is neither a name nor an address");
  if (url.port === "0") return wrong("must not have the port 0");
  const [user, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  if ((user === "") !== (password === "")) return wrong("must have both a user and a password, or neither");
  const implicitTls = scheme.toLowerCase() === "smtps";
  const port = url.port === "" ? (implicitTls ? implicitTlsPort : submissionPort) : Number(url.port);
  const login = user === "" ? undefined : { user, password: new Secret(password) };
  return { kind: "server", server: { host, port, implicitTls, login } };
}

function readKeys(
  { host: name, port, user, implicitTls }: Pick<SmtpConfig, "host" | "port" | "user" | "implicitTls">,
  password: Secret | undefined,
): SmtpServerResult {
  const problems: Problem[] = [];
  const host = readHost(name);
  if (name === "") problems.push({ key: prefix, message: "needs url or host" });
  else if (host === undefined) {
    const message = "must be a host name or an IP address, without a port";
    problems.push({ key: `${prefix}.host`, message });
  }
  if (user === "" && password !== undefined)
    problems.push({ key: `${prefix}.password`, message: `needs ${prefix}.user` });
  if (user !== "" && password === undefined)
    problems.push({ key: `${prefix}.user`, message: `needs ${prefix}.password` });
  if (host === undefined || problems.length > 0) return { kind: "wrong", problems };
  const isImplicit = implicitTls ?? port === implicitTlsPort;
  const usual = isImplicit ? implicitTlsPort : submissionPort;
  const login = password === undefined ? undefined : { user, password };
  return {
    kind: "server",
    server: { host, port: port === 0 ? usual : port, implicitTls: isImplicit, login },
  };
}

/** The name in its ASCII form or the address without brackets; undefined if it is neither. */
function readHost(text: string): string | undefined {
  if (isAddress(text)) return bareHost(text);
  if (readHostAndPort(text) === undefined || text.includes(":")) return undefined;
  try {
    return domainToASCII(decodeURIComponent(text)) || undefined;
  } catch {
    return undefined;
  }
}
