import type { X509Certificate } from "node:crypto";
import { type DomainError, domainError } from "../../domain/errors.ts";

/** What the holder of a client certificate may do (`access.client_certificates`). */
export interface CertificateGrant {
  /** For the log and for events. */
  readonly name: string;
  readonly match:
    | { readonly kind: "subject_alternative_name"; readonly value: string }
    /** SHA-256 in hexadecimal; colons and case do not matter. */
    | { readonly kind: "fingerprint"; readonly value: string };
  readonly scopes: readonly string[];
}

/**
 * The grant of a certificate. Throws CLIENT_CERTIFICATE_UNKNOWN if there is none. The first that matches counts;
 * names are compared exactly, and only URI and DNS names of the certificate: the subject's common name says
 * nothing (RFC 9525, section 2).
 */
export function grantOf(certificate: X509Certificate, grants: readonly CertificateGrant[]): CertificateGrant {
  const fingerprint = normalizeFingerprint(certificate.fingerprint256);
  const names = subjectAlternativeNames(certificate.subjectAltName);
  const grant = grants.find(({ match }) =>
    match.kind === "fingerprint"
      ? normalizeFingerprint(match.value) === fingerprint
      : names.includes(match.value),
  );
  if (grant === undefined) throw unknownCertificate("UNMAPPED");
  return grant;
}

/** The error of a certificate that does not count: OpenSSL's name of the problem, or `UNMAPPED`. */
export function unknownCertificate(problem: string): DomainError {
  const message = `The client certificate does not count: ${problem}.`;
  return domainError("CLIENT_CERTIFICATE_UNKNOWN", { problem }, { message });
}

/**
 * URI and DNS names of Node's text form, `DNS:a.example, URI:spiffe://b/c`. Node quotes a value as JSON if it
 * holds anything that could be taken for the end of it (CVE-2021-44532), so a quoted one is read as JSON.
 */
function subjectAlternativeNames(text: string | undefined): readonly string[] {
  const names: string[] = [];
  for (const match of (text ?? "").matchAll(/(?:^|, )(DNS|URI):("(?:[^"\\]|\\.)*"|[^",]*)(?=, |$)/g)) {
    const value = match[2] ?? "";
    names.push(value.startsWith('"') ? String(JSON.parse(value)) : value);
  }
  return names;
}

function normalizeFingerprint(text: string): string {
  return text.replaceAll(":", "").toLowerCase();
}
