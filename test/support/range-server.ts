import { createHash } from "node:crypto";
import type { ServerResponse } from "node:http";
import { type OtherServer, startOtherServer } from "./http-server.ts";

/** A real server that speaks the range protocol of Have I Been Pwned. */
export interface RangeServer extends OtherServer {
  /** The prefixes that it was asked for. */
  readonly prefixes: () => readonly string[];
  /** Answers as the protocol has it again, after `answer` replaced that. */
  recover(): void;
}

/** Starts one that knows these passwords, each found so often. Its answers are padded. */
export async function startRangeServer(breached: Readonly<Record<string, number>>): Promise<RangeServer> {
  const known = Object.entries(breached).map(([password, count]) => ({ digest: digestOf(password), count }));
  const answerRange = (request: { readonly url?: string | undefined }, response: ServerResponse) => {
    const prefix = /^\/range\/([0-9A-F]{5})$/.exec(request.url ?? "")?.[1];
    if (prefix === undefined) {
      response.writeHead(400).end("The hash prefix was not in a valid format");
      return;
    }
    const real = known
      .filter(({ digest }) => digest.startsWith(prefix))
      .map(({ digest, count }) => `${digest.slice(5)}:${count}`);
    const padding = Array.from({ length: 50 }, (_, index) => `${digestOf(`padding ${index}`).slice(5)}:0`);
    response.setHeader("content-type", "text/plain").end([...padding, ...real].sort().join("\r\n"));
  };
  const server = await startOtherServer(answerRange);
  return {
    ...server,
    prefixes: () => server.requests.map((request) => (request.url ?? "").replace("/range/", "")),
    recover: () => server.answer(answerRange),
  };
}

/** The digest that the protocol cuts into prefix and rest. */
export function digestOf(password: string): string {
  return createHash("sha1").update(password).digest("hex").toUpperCase();
}
