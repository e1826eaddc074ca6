// The baseline of a session check: node:http, JSON, one SHA-256 and a Map, and nothing else.
import { hash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const sessions = new Map<string, object>();

const server = createServer((incoming, outgoing) => {
  let text = "";
  incoming.setEncoding("utf8");
  incoming.on("data", (chunk: string) => {
    text += chunk;
  });
  incoming.on("end", () => {
    const { token } = JSON.parse(text) as { token: string };
    const digest = hash("sha256", token);
    const session = sessions.get(digest) ?? { id: digest, identityId: digest };
    sessions.set(digest, session);
    const body = JSON.stringify({ session });
    outgoing.writeHead(200, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    });
    outgoing.end(body);
  });
});
server.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.on("SIGTERM", () => process.exit(0));
