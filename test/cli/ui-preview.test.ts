import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { getFlow } from "../../sdk/typescript/src/form.ts";
import { createOstiary, getTenantProfile, reasonOf, userMessageOf } from "../../sdk/typescript/src/index.ts";
import { servePreviewOfNothing } from "../support/preview.ts";
import { type Running, runInProcess, startOstiary } from "./run-ostiary.ts";

let directory: string;
let running: Running | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "ostiary-preview-"));
});
afterEach(async () => {
  running?.process.kill();
  await running?.finished;
  running = undefined;
  rmSync(directory, { recursive: true, force: true });
});

const configuration = `tenant_defaults:
  branding: { name: Sample & Sons }
  oidc: { providers: [{ id: gitlab, preset: gitlab, client_id: a, client_secret: b }] }
`;

/** Where the address of a state leads, the flow that is named there, and the cookie that comes with it. */
async function visit(url: string, name: string) {
  const { status, headers } = await fetch(`${url}/preview/${name}`, { redirect: "manual" });
  const location = headers.get("location") ?? "";
  const cookie = headers.get("set-cookie")?.split(";")[0] ?? "";
  return { status, location, flowId: location.split("#flow=")[1] ?? "", cookie };
}

describe("ostiary ui preview", () => {
  test("lists the states, draws them with the configured name and providers, makes nothing, and ends", async () => {
    writeFileSync(join(directory, "o.yaml"), configuration);
    running = startOstiary(["ui", "preview", "--port", "0", "--config", "o.yaml"], { directory });
    const [url = ""] = /http:\/\/localhost:\d+/.exec(await running.output("/ (Ctrl-C")) ?? [];
    const list = await fetch(url);
    expect(list.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(await list.text()).toContain('<a href="/preview/login/wrong-password">');

    const { status, location, flowId } = await visit(url, "login/wrong-password");
    expect(status).toBe(303);
    expect(location).toMatch(/^\/ui\/login#flow=ost_flw_default_\w+$/);
    expect((await fetch(new URL(location, url))).status).toBe(200);
    const ostiary = createOstiary({ baseUrl: url });
    const nodes = (await getFlow(ostiary, flowId)).flow.form?.nodes ?? [];
    expect(nodes.flatMap(({ messages }) => messages.map(({ id }) => id))).toEqual([4000006]);
    expect(nodes.flatMap(({ kind }) => (kind.case === "button" ? kind.value.icon || [] : []))).toEqual([
      "gitlab",
    ]);
    expect((await getTenantProfile(ostiary)).branding?.name).toBe("Sample & Sons");
    expect((await visit(url, "login/nothing")).status).toBe(404);

    expect(readdirSync(directory)).toEqual(["o.yaml"]);
    running.process.kill("SIGTERM");
    expect(await running.finished).toMatchObject({ code: 0, stderr: "" });
  });

  test.each(["x", "65536", "-1"])("refuses the port %s", async (port) => {
    const { code, stderr } = await runInProcess(["ui", "preview", `--port=${port}`], { directory });
    expect([code, stderr]).toEqual([
      1,
      `ostiary: --port must be a whole number from 0 to 65535, not ${port}\n`,
    ]);
  });

  test("says that the port is in use", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await runInProcess(["ui", "preview", "--port", String(port)], { directory });
    other.close();
    expect(code).toBe(1);
    expect(stderr).toContain(`port ${port} on 127.0.0.1 is already in use`);
  });
});

describe("a preview", () => {
  let server: Awaited<ReturnType<typeof servePreviewOfNothing>>;
  beforeAll(async () => {
    server = await servePreviewOfNothing();
  });
  afterAll(() => server.stop());

  test("leads from a submit to the state that comes next", async () => {
    const ostiary = createOstiary({ baseUrl: server.url });
    const { flowId } = await visit(server.url, "login/enter-identifier");
    const { flow, outcome } = await ostiary.flows.submitForm({ flowId, step: "identify" });
    expect([flow?.stage.case, outcome.case]).toEqual(["chooseMethod", "nextStep"]);
    const completed = await ostiary.flows.submitForm({ flowId: flow?.id ?? "", step: "password" });
    expect(completed.outcome.case).toBe("completed");
    const other = await visit(server.url, "verification/enter-code");
    const resent = await ostiary.flows.submitForm({ flowId: other.flowId, step: "resend" });
    expect(resent.flow?.id).toBe(other.flowId);
  });

  test("answers with the refusal of a state, as the server words it", async () => {
    const { location, cookie } = await visit(server.url, "refused/rate-limited");
    expect(location).toBe("/ui/login");
    const visitor = createOstiary({
      baseUrl: server.url,
      fetch: (input, init) => {
        const headers = new Headers(init?.headers);
        headers.set("cookie", cookie);
        return fetch(input, { ...init, headers });
      },
    });
    const refused = await visitor.login
      .createLoginFlow({ client: ClientKind.BROWSER })
      .catch((error: unknown) => error);
    expect(reasonOf(refused)).toBe("RATE_LIMITED");
    expect(userMessageOf(refused)?.id).toBe(9000526);
  });

  test("security rule (SR-PREVIEW-1): is there for this machine alone", async () => {
    const others = Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .filter(({ internal, family }) => !internal && family === "IPv4");
    for (const { address } of others) {
      const socket = connect({ host: address, port: Number(new URL(server.url).port) });
      const answer = await new Promise<string | undefined>((resolve) => {
        socket.once("connect", () => resolve("connected"));
        socket.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code));
      });
      socket.destroy();
      expect(answer).toBe("ECONNREFUSED");
    }
    expect((await fetch(server.url)).status).toBe(200);
  });
});
