// What the unary path of src/transport/rpc/unary buys: `node bench/unary-path.ts`. CPU of a server's own process for one
// CheckSession whose answer is made up, on our path (with all of the pipeline, budgets and headers), on connect-node's adapter
// (with none of them), and on bare node:http. The three run side by side and take turns.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { SessionService } from "../gen/ostiary/session/v1/session_service_pb.js";
import { startListener } from "../test/transport/harness.ts";
import { runLoad } from "./load.ts";
import { type MeasuredServer, startMeasured } from "./server-process.ts";

const rounds = 6;
const path = "/ostiary.session.v1.SessionService/CheckSession";
const answer = () => ({ session: { id: "01890000-0000-7000-8000-000000000002", identityId: "x" } });

const servers: Readonly<Record<string, () => Promise<number>>> = {
  "our path": async () => {
    const services = [{ service: SessionService, implementation: { checkSession: answer } }];
    return (await startListener({ services })).port;
  },
  "connect-node's adapter": () =>
    listen(
      connectNodeAdapter({ routes: (router) => router.service(SessionService, { checkSession: answer }) }),
    ),
  "bare node:http": () =>
    listen((request, response) => {
      let text = "";
      request.on("data", (chunk) => {
        text += chunk;
      });
      request.on("end", () => {
        JSON.parse(text);
        response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer()));
      });
    }),
};

const [, , served] = process.argv;
if (served !== undefined) {
  const port = await servers[served]?.();
  console.log(`http://127.0.0.1:${port}`);
} else await compare();

function listen(handler: Parameters<typeof createServer>[1]): Promise<number> {
  const server = createServer({}, handler);
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

async function compare(): Promise<void> {
  const sides: { readonly name: string; readonly server: MeasuredServer; readonly costs: number[] }[] = [];
  for (const name of Object.keys(servers)) {
    const server = await startMeasured(process.execPath, [import.meta.filename, name]);
    sides.push({ name, server, costs: [] });
  }
  for (const { server } of sides) await cost(server);
  for (let round = 0; round < rounds; round++) {
    for (const { server, costs } of sides) costs.push(await cost(server));
  }
  for (const { name, server, costs } of sides) {
    const median = costs.toSorted((left, right) => left - right)[rounds >> 1] ?? Number.NaN;
    console.log(`${name}: ${median.toFixed(0)} µs of CPU a call, ${Math.min(...costs).toFixed(0)} at least`);
    await server.stop();
  }
}

async function cost(server: MeasuredServer): Promise<number> {
  const before = server.cpuSeconds();
  const body = JSON.stringify({ token: `ost_ses_default_${"a".repeat(49)}` });
  const load = { url: server.publicUrl + path, connections: 16, seconds: 3, body: () => body };
  const { calls, failed } = await runLoad(load);
  if (failed > 0) throw new Error(`${failed} of ${calls} calls failed`);
  return ((server.cpuSeconds() - before) / calls) * 1e6;
}
