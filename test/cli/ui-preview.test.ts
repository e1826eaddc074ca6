import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { getFlow } from "../../sdk/typescript/src/form.ts";
import { createOstiary, getTenantProfile, reasonOf } from "../../sdk/typescript/src/index.ts";
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

/** Starts the command, and gives the address that it prints. */
async function start(...words: readonly string[]): Promise<string> {
  running = startOstiary(["ui", "preview", "--port", "0", ...words], { directory });
  const [url = ""] = /http:\/\/localhost:\d+/.exec(await running.output("/ (Ctrl-C")) ?? [];
  return url;
}

describe("ostiary ui preview", () => {
  test("lists the states, leads to the page of each, draws its flow, and makes nothing", async () => {
    const url = await start();
    const list = await fetch(url);
    expect(list.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(await list.text()).toContain('<a href="/preview/login/wrong-password">');

    const state = await fetch(`${url}/preview/login/wrong-password`, { redirect: "manual" });
    expect(state.status).toBe(303);
    const location = state.headers.get("location") ?? "";
    expect(location).toMatch(/^\/ui\/login#flow=ost_flw_default_\w+$/);
    expect((await fetch(new URL(location, url))).status).toBe(200);

    const ostiary = createOstiary({ baseUrl: url });
    const { flow } = await getFlow(ostiary, location.split("#flow=")[1] ?? "");
    expect(flow.form?.nodes.flatMap(({ messages }) => messages.map(({ id }) => id))).toEqual([4000006]);

    expect((await fetch(`${url}/preview/login/nothing`)).status).toBe(404);
    expect(readdirSync(directory)).toEqual([]);
    running?.process.kill("SIGTERM");
    expect(await running?.finished).toMatchObject({ code: 0, stderr: "" });
  });

  test("leads from a submit to the state that comes next", async () => {
    const url = await start();
    const { headers } = await fetch(`${url}/preview/login/enter-identifier`, { redirect: "manual" });
    const ostiary = createOstiary({ baseUrl: url });
    const flowId = headers.get("location")?.split("#flow=")[1] ?? "";
    const { flow, outcome } = await ostiary.flows.submitForm({ flowId, step: "identify" });
    expect([flow?.stage.case, outcome.case]).toEqual(["chooseMethod", "nextStep"]);
    const completed = await ostiary.flows.submitForm({ flowId: flow?.id ?? "", step: "password" });
    expect(completed.outcome.case).toBe("completed");
  });

  test("answers with the refusal of a state, its sentence and when to try again", async () => {
    const url = await start();
    const { headers } = await fetch(`${url}/preview/refused/rate-limited`, { redirect: "manual" });
    expect(headers.get("location")).toBe("/ui/login");
    const cookie = headers.get("set-cookie")?.split(";")[0] ?? "";
    const visitor = createOstiary({
      baseUrl: url,
      fetch: (input, init) =>
        fetch(input, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), cookie } }),
    });
    const refused = await visitor.login
      .createLoginFlow({ client: ClientKind.BROWSER })
      .catch((error: unknown) => error);
    expect(reasonOf(refused)).toBe("RATE_LIMITED");
  });

  test("has the name and the providers of the configuration", async () => {
    writeFileSync(
      join(directory, "o.yaml"),
      "tenant_defaults:\n  branding: {name: Sample & Sons}\n  oidc: {providers: [{id: gitlab, preset: gitlab, client_id: a, client_secret: b}]}\n",
    );
    const url = await start("--config", "o.yaml");
    const ostiary = createOstiary({ baseUrl: url });
    expect((await getTenantProfile(ostiary)).branding?.name).toBe("Sample & Sons");
    const { headers } = await fetch(`${url}/preview/login/one-step`, { redirect: "manual" });
    const { flow } = await getFlow(ostiary, headers.get("location")?.split("#flow=")[1] ?? "");
    const icons = flow.form?.nodes.flatMap(({ kind }) =>
      kind.case === "button" ? kind.value.icon || [] : [],
    );
    expect(icons).toEqual(["gitlab"]);
  });

  test("security rule (SR-PREVIEW-1): is there for this machine alone", async () => {
    const url = await start();
    const others = Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .filter(({ internal, family }) => !internal && family === "IPv4");
    for (const { address } of others) {
      const socket = connect({ host: address, port: Number(new URL(url).port) });
      const [error] = await once(socket, "error");
      expect((error as NodeJS.ErrnoException).code).toBe("ECONNREFUSED");
    }
    expect((await fetch(url)).status).toBe(200);
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
