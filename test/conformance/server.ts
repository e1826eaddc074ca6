// One server of the conformance suite: reads from stdin what it must be like, serves through our own listener, and
// writes to stdout where. The runner starts one for each combination of features and ends it with SIGTERM.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { startListener } from "../transport/harness.ts";
import { conformanceService, messageType, registry, type ServerCompatRequest } from "./schema.ts";
import { conformanceImplementation } from "./service.ts";

const requestType = messageType("ServerCompatRequest");
const responseType = messageType("ServerCompatResponse");

const request = fromBinary(requestType, await readSized()) as ServerCompatRequest;
const { useTls, serverCreds, messageReceiveLimit } = request;
const credentials =
  useTls && serverCreds !== undefined
    ? { cert: Buffer.from(serverCreds.cert), key: Buffer.from(serverCreds.key) }
    : undefined;

const { port, close } = await startListener({
  services: [{ service: conformanceService, implementation: conformanceImplementation }],
  tls: credentials === undefined ? undefined : () => credentials,
  maxRequestBytes: messageReceiveLimit === 0 ? 4 * 1024 * 1024 : messageReceiveLimit,
  jsonTypes: registry,
});
process.once("SIGTERM", () => void close().then(() => process.exit(0)));

const response = create(responseType, { host: "127.0.0.1", port, pemCert: credentials?.cert });
const bytes = toBinary(responseType, response);
const size = Buffer.alloc(4);
size.writeUInt32BE(bytes.length);
process.stdout.write(Buffer.concat([size, bytes]));

/** One message after its length, as the runner writes it. */
async function readSized(): Promise<Buffer> {
  let input = Buffer.alloc(0);
  for await (const chunk of process.stdin) {
    input = Buffer.concat([input, chunk as Buffer]);
    if (input.length >= 4 && input.length >= 4 + input.readUInt32BE(0)) break;
  }
  return input.subarray(4, 4 + input.readUInt32BE(0));
}
