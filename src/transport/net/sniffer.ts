import type { Socket } from "node:net";

/** What a cleartext connection speaks. */
export type Speech = "http1" | "http2";

// RFC 9113, section 3.4. The first line is enough: no HTTP/1 method is PRI.
const preface = Buffer.from("PRI * HTTP/2.0\r\n");

/**
 * Reads just enough of a connection to know whether it begins with HTTP/2's preface (prior knowledge, as gRPC
 * without TLS does), puts it back, and calls back once. A connection that does not decide itself in time is
 * dropped, and so is one that ends before.
 */
export function sniff(socket: Socket, timeoutMs: number, decided: (speech: Speech) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), timeoutMs);

  const onReadable = () => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const compared = Math.min(seen.length, preface.length);
    const isPrefaceSoFar = seen.compare(preface, 0, compared, 0, compared) === 0;
    if (isPrefaceSoFar && compared < preface.length) return;
    release();
    socket.unshift(seen);
    decided(isPrefaceSoFar ? "http2" : "http1");
  };
  const drop = () => {
    release();
    socket.destroy();
  };
  const release = () => {
    clearTimeout(timer);
    socket.off("readable", onReadable).off("end", drop).off("error", drop).off("close", release);
  };
  socket.on("readable", onReadable).on("end", drop).on("error", drop).on("close", release);
}
