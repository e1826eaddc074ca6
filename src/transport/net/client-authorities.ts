import { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import { keyOf } from "./connections.ts";

/**
 * The authorities that sign the certificates of a listener's clients, and the connections that were judged by them. OpenSSL judges
 * a certificate once, at the handshake; this keeps the verdict true when the authorities change.
 */
export class ClientAuthorities {
  #roots: readonly X509Certificate[] = [];
  readonly #handshakes = new Map<string, Socket>();
  readonly #shown = new Map<TLSSocket, Socket>();

  constructor(pem: string | Buffer | undefined) {
    this.#roots = rootsOf(pem);
  }

  /** A handshake begins. */
  begin(socket: Socket): void {
    const key = keyOf(socket);
    this.#handshakes.set(key, socket);
    socket.once("close", () => {
      if (this.#handshakes.get(key) === socket) this.#handshakes.delete(key);
    });
  }

  /** The handshake is done. Only connections with a certificate are remembered. */
  end(socket: TLSSocket): void {
    const key = keyOf(socket);
    const below = this.#handshakes.get(key);
    this.#handshakes.delete(key);
    if (below === undefined || socket.getPeerX509Certificate() === undefined) return;
    this.#shown.set(socket, below);
    below.once("close", () => this.#shown.delete(socket));
  }

  /**
   * Takes other authorities, and ends the connections that they would judge otherwise, with the calls on them.
   *
   * Security rule (SR-ACCESS-9): a connection does not outlive the authority that let it in. That includes one whose handshake
   * began under the former authorities, since a client can draw it out. Connections without a certificate go on, and so do those
   * of an authority that stays, so authorities are rotated without a cut.
   */
  replace(pem: string | Buffer | undefined): void {
    const roots = rootsOf(pem);
    if (isSame(this.#roots, roots)) return;
    this.#roots = roots;
    for (const socket of this.#handshakes.values()) socket.destroy();
    for (const [socket, below] of this.#shown) {
      if (isSignedBy(roots, socket) !== socket.authorized) below.destroy();
    }
  }
}

/** The certificates of a file that sign themselves: OpenSSL trusts no other one by itself. */
function rootsOf(pem: string | Buffer | undefined): readonly X509Certificate[] {
  const blocks = String(pem ?? "").match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block)).filter((each) => isIssuer(each, each));
}

function isSame(before: readonly X509Certificate[], after: readonly X509Certificate[]): boolean {
  const fingerprints = new Set(before.map(({ fingerprint256 }) => fingerprint256));
  return (
    new Set(after.map(({ fingerprint256 }) => fingerprint256)).size === fingerprints.size &&
    after.every(({ fingerprint256 }) => fingerprints.has(fingerprint256))
  );
}

/** Whether what a client has shown leads to one of these roots, signature by signature. */
function isSignedBy(roots: readonly X509Certificate[], socket: TLSSocket): boolean {
  const chain = chainOf(socket);
  for (const [index, certificate] of chain.entries()) {
    if (roots.some((root) => isIssuer(root, certificate))) return true;
    const next = chain[index + 1];
    if (next === undefined || !isIssuer(next, certificate)) return false;
  }
  return false;
}

function isIssuer(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** The certificate of a client, then that of its issuer and so on, as far as they are known. */
function chainOf(socket: TLSSocket): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  const seen = new Set<string>();
  // The last one is its own issuer.
  while (next?.raw !== undefined && !seen.has(next.fingerprint256)) {
    seen.add(next.fingerprint256);
    chain.push(new X509Certificate(next.raw));
    next = next.issuerCertificate;
  }
  return chain;
}
