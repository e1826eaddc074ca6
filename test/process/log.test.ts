import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startServerProcess } from "../support/server-process.ts";

interface Answer {
  readonly flow?: { readonly id: string; readonly csrfToken?: string };
  readonly completed?: { readonly signedIn?: { readonly sessionToken?: string } };
  readonly secret?: string;
}

test("security rule (SR-SECRET-1): the log of a whole journey, at its most talkative, holds no secret and nobody's data", async () => {
  const folder = await mkdtemp(join(tmpdir(), "ostiary-log-"));
  const data = join(folder, "data");
  const server = await startServerProcess(["--data-directory", data, "--log-level", "debug"]);
  try {
    const secrets = new Set(["ada@example.com", "Lovelace", "correct horse battery", "wrong horse battery"]);
    let cookies = "";
    const call = async (url: string, body: object, headers: object = {}): Promise<Answer> => {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      });
      const set = response.headers.getSetCookie().map((cookie) => cookie.split(";")[0] ?? "");
      if (set.length > 0) cookies = set.join("; ");
      // A cookie that is taken back has an empty value.
      for (const cookie of set) secrets.add(cookie.slice(cookie.indexOf("=") + 1) || cookie);
      const answer = (await response.json()) as Answer;
      const { flow, completed, secret } = answer;
      for (const text of [flow?.id, flow?.csrfToken, completed?.signedIn?.sessionToken, secret])
        if (text !== undefined) secrets.add(text);
      return answer;
    };
    const open = (method: string, body: object, headers: object = {}) =>
      call(`${server.publicUrl}/ostiary.${method}`, body, headers);
    const password = { password: "correct horse battery" };

    const registration = await open("flow.v1.RegistrationService/CreateRegistrationFlow", {
      client: "CLIENT_KIND_BROWSER",
    });
    await open(
      "flow.v1.RegistrationService/SubmitRegistrationFlow",
      {
        flowId: registration.flow?.id,
        csrfToken: registration.flow?.csrfToken,
        traits: { email: "ada@example.com", name: "Lovelace" },
        password,
      },
      { cookie: cookies },
    );
    const login = await open("flow.v1.LoginService/CreateLoginFlow", { client: "CLIENT_KIND_NATIVE" });
    const submit = (attempt: object) =>
      open("flow.v1.LoginService/SubmitLoginFlow", {
        flowId: login.flow?.id,
        identifier: "ada@example.com",
        password: attempt,
      });
    await submit({ password: "wrong horse battery" });
    const { completed } = await submit(password);
    const token = completed?.signedIn?.sessionToken ?? "";
    expect(token).toMatch(/^ost_ses_/);
    await open("session.v1.SessionService/CheckSession", { token });
    await open("session.v1.SessionService/Logout", {}, { authorization: `Bearer ${token}` });
    await open("session.v1.SessionService/CheckSession", { token });

    const apiKey = (await readFile(join(data, "admin-api-key"), "utf8")).trim();
    secrets.add(apiKey);
    const admin = (method: string, body: object) =>
      call(`${server.adminUrl}/ostiary.${method}`, body, { authorization: `Bearer ${apiKey}` });
    await admin("identity.v1.IdentityService/LookUpIdentity", { identifier: "ada@example.com" });
    await admin("identity.v1.IdentityService/CreateIdentity", { traits: { email: "ada@example.com" } });
    await admin("access.v1.ApiKeyService/CreateApiKey", { name: "support", scopes: ["identity:read"] });
    for (const name of ["postgres-password", "sealing.key"])
      secrets.add((await readFile(join(data, name), "utf8")).trim());

    expect(await server.end("SIGTERM")).toBe(0);
    const said = server.output() + server.log();
    // A control: the calls are in the log, and so are those that are only logged at this level.
    expect(said).toContain("SubmitRegistrationFlow");
    expect(said).toContain("SessionService/CheckSession");
    expect(secrets.size).toBeGreaterThanOrEqual(13);
    expect([...secrets].filter((secret) => said.includes(secret))).toEqual([]);
  } finally {
    await server.end("SIGTERM");
    await rm(folder, { recursive: true });
  }
}, 60_000);
