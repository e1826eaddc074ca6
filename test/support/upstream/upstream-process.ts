/**
 * Real providers in a process of their own: two of `oidc-provider`, and one in the shape of GitHub's. Prints one line of JSON
 * with their URLs, and ends with its input.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { UpstreamCommand, UpstreamName } from "./commands.ts";
import { startGitHubShape } from "./github-shape.ts";
import { startOpenIdIssuer } from "./openid-issuer.ts";
import { readBody } from "./sign-in-page.ts";

// The library warns of what only matters beyond tests: storage in memory, functions that are left as they come.
console.info = () => {};
console.warn = () => {};
process.stdin.on("end", () => process.exit(0)).resume();

const [first, second, github] = await Promise.all([
  startOpenIdIssuer({
    name: "first",
    claimsIn: "id_token",
    secretsIn: ["client_secret_basic", "client_secret_post"],
  }),
  startOpenIdIssuer({ name: "second", claimsIn: "userinfo", secretsIn: ["client_secret_basic"] }),
  startGitHubShape(),
]);
const providers = { first, second, github };

const control = createServer(async (request, response) => {
  try {
    const name = (request.url ?? "").slice(1) as UpstreamName;
    const command = JSON.parse(await readBody(request)) as UpstreamCommand;
    response.end(JSON.stringify(await providers[name].carryOut(command)));
  } catch (error) {
    response.writeHead(400).end(String(error));
  }
});
control.listen(0, "127.0.0.1", () => {
  const { port } = control.address() as AddressInfo;
  const urls = { first: first.url, second: second.url, github: github.url };
  process.stdout.write(`${JSON.stringify({ control: `http://127.0.0.1:${port}`, ...urls })}\n`);
});
