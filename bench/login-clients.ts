// Clients that log in to one account without pause, for bench/logins.ts: `node bench/login-clients.ts URL EMAIL CLIENTS`. A process of their
// own, so that their work is not in the way of what is measured. Ends with SIGTERM, and prints how many logins there were.
import { Agent, request } from "node:http";
import { password } from "./journey.ts";

const [url = "", email = "", clients = "16"] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true });
let logins = 0;
let refused = 0;

process.on("SIGTERM", () => {
  console.log(JSON.stringify({ logins, refused }));
  process.exit(0);
});

await Promise.all(Array.from({ length: Number(clients) }, logInForever));

async function logInForever(): Promise<never> {
  for (;;) {
    const created = await post("CreateLoginFlow", { client: "CLIENT_KIND_NATIVE" });
    const { status } = await post("SubmitLoginFlow", {
      flowId: (created.body as { flow: { id: string } }).flow.id,
      identifier: email,
      password: { password },
    });
    if (status === 200) logins++;
    else refused++;
  }
}

function post(method: string, message: unknown): Promise<{ status: number; body: unknown }> {
  const text = JSON.stringify(message);
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
  return new Promise((resolve, reject) => {
    const path = `${url}/ostiary.flow.v1.LoginService/${method}`;
    const call = request(path, { agent, method: "POST", headers }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => {
        resolve({
          status: response.statusCode ?? 0,
          body: JSON.parse(Buffer.concat(parts).toString() || "{}"),
        });
      });
    });
    call.on("error", reject);
    call.end(text);
  });
}
