import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Caller, resultOf } from "../support/caller.ts";
import { createServerDatabase, createTestDatabase } from "../support/database.ts";
import { type Running, runInProcess, runOstiary, startOstiary } from "./run-ostiary.ts";

let directory: string;
const started: Running[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "ostiary-serve-"));
});

afterEach(async () => {
  for (const { process, finished } of started.splice(0)) {
    process.kill("SIGTERM");
    await finished;
  }
  rmSync(directory, { recursive: true, force: true });
});

const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === "::1"),
);
const freePorts = ["--public-port", "0", "--admin-port", "0"];
const sealing = { OSTIARY_SECRETS_SEALING: "s".repeat(32) };

function serve(words: readonly string[] = freePorts, environment: Record<string, string> = {}): Running {
  const running = startOstiary(["serve", ...words], { directory, environment });
  started.push(running);
  return running;
}

function urlIn(output: string, name: string): string {
  return new RegExp(`${name} API +(http://[^\\s]+)`).exec(output)?.[1] ?? "";
}

describe("serve with nothing configured", () => {
  test.runIf(hasIpv6)(
    "is not started where another program would get what browsers send to localhost",
    async () => {
      const other = createServer().listen(0, "::1");
      await once(other, "listening");
      const address = other.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      const server = serve(["--public-port", String(port), "--admin-port", "0"]);
      const { code, stderr } = await server.finished;
      expect(code).toBe(1);
      expect(stderr).toContain(`port ${port} on ::1 (server.public.port, --public-port) is already in use`);
      other.close();
    },
  );

  test("says where it is and what to try, serves, and stops cleanly on Ctrl-C", async () => {
    const server = serve();
    const output = await server.output("CreateRegistrationFlow");
    const keyFile = join(directory, ".ostiary/admin-api-key");
    expect(output).toContain(`in ${keyFile}`);
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    // Security rule (SR-ACCESS-8): the key itself is shown on a terminal only; this is a pipe.
    expect(output).not.toContain(readFileSync(keyFile, "utf8").trim());
    expect(urlIn(output, "Admin")).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);

    // The self-service pages, for people with a browser.
    const [, pages = ""] = /Open in a browser: (http\S+)/.exec(output) ?? [];
    expect(pages).toBe(`${urlIn(output, "Public")}/ui/`);
    expect(await (await fetch(pages)).text()).toContain("<title>Ostiary</title>");
    // A name, because browsers make no passkeys for an address; who comes by the address is led there.
    expect(pages).toMatch(/^http:\/\/localhost:\d+\/ui\/$/);
    const byAddress = pages.replace("localhost", "127.0.0.1");
    // Browsers try the other address of that name first.
    if (hasIpv6) expect((await fetch(pages.replace("localhost", "[::1]"))).status).toBe(200);
    const led = await fetch(byAddress, { redirect: "manual" });
    expect([led.status, led.headers.get("location")]).toEqual([307, pages]);

    const [, command = ""] = /(curl .*)$/s.exec(output) ?? [];
    const address = /http:\S+$/.exec(command.trim())?.[0] ?? "";
    expect(address).toContain(urlIn(output, "Public"));
    const headers = { "content-type": "application/json" };
    const login = await fetch(new URL("/ostiary.flow.v1.LoginService/CreateLoginFlow", byAddress), {
      method: "POST",
      headers,
      body: '{"client":"CLIENT_KIND_NATIVE"}',
    });
    expect(JSON.stringify(await login.json())).toContain('"rpId":"localhost"');
    const response = await fetch(address, {
      method: "POST",
      headers,
      body: '{"client":"CLIENT_KIND_NATIVE"}',
    });
    expect(await response.json()).toMatchObject({ flow: { client: "CLIENT_KIND_NATIVE" } });

    server.process.kill("SIGINT");
    const { code, stdout } = await server.finished;
    expect(stdout).toContain("Stopping: finishing calls under way (at most 10s), then the database.");
    expect(stdout.trimEnd()).toMatch(/Stopped\.$/);
    expect(code).toBe(0);
  });

  test("Ctrl-C during the start stops it as cleanly", async () => {
    const server = serve();
    await new Promise((resolve) => server.process.stderr.once("data", resolve));
    server.process.kill("SIGINT");
    const { code, stdout } = await server.finished;
    expect(code).toBe(0);
    expect(stdout).not.toContain("is ready");
  });
});

describe("serve with a configured database", () => {
  test("the first key is made when asked for, once, into a file that is new", async () => {
    const database = await createTestDatabase();
    try {
      const environment = { ...sealing, OSTIARY_DATABASE_URL: database.url };
      const bootstrap = (file: string, run = runInProcess) =>
        run(["keys", "bootstrap", "--output", file], { directory, environment });
      const first = await bootstrap("key", runOstiary);
      expect(first).toMatchObject({ code: 0, stdout: "The first admin key is in key.\n" });
      expect(readFileSync(join(directory, "key"), "utf8")).toMatch(/^ost_key_\S+\n$/);
      expect(statSync(join(directory, "key")).mode & 0o777).toBe(0o600);
      const second = await bootstrap("other");
      expect(second.code).toBe(1);
      expect(second.stderr).toContain("the first admin key was made before");
      expect(() => statSync(join(directory, "other"))).toThrow("ENOENT");
      expect((await bootstrap("key")).stderr).toContain("key: is there already");

      const migrated = await runInProcess(["migrate"], { directory, environment });
      expect(migrated).toMatchObject({ code: 0, stdout: "The database is up to date.\n" });
    } finally {
      await database.drop();
    }
  });

  test("a second Ctrl-C does not wait for calls under way", async () => {
    const database = await createServerDatabase();
    try {
      const server = serve(freePorts, { ...sealing, OSTIARY_DATABASE_URL: database.url });
      const { hostname, port } = new URL(urlIn(await server.output("CreateRegistrationFlow"), "Public"));
      // A call whose body never comes: it would be waited for.
      const call = connect(Number(port), hostname).on("error", () => {});
      await once(call, "connect");
      const path = "/ostiary.flow.v1.LoginService/CreateLoginFlow";
      const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`;
      await new Promise((resolve) => call.write(head, resolve));
      await fetch(`http://${hostname}:${port}/health/alive`);
      server.process.kill("SIGINT");
      await server.output("Stopping");
      server.process.kill("SIGINT");
      const { code, stderr } = await server.finished;
      expect(code).toBe(130);
      expect(stderr).toContain("ostiary: stopping at once; calls under way are cut off");
      call.destroy();
    } finally {
      await database.drop();
    }
  });

  test.runIf(process.platform === "linux")(
    "passwords are hashed in a thread of a lower priority, and libuv's threads are left alone",
    async () => {
      const database = await createServerDatabase();
      try {
        const server = serve(freePorts, { ...sealing, OSTIARY_DATABASE_URL: database.url });
        const publicUrl = urlIn(await server.output("CreateRegistrationFlow"), "Public");
        const answer = await new Caller({ publicUrl }).logIn("nobody@example.com");
        expect(resultOf(answer)).toBe("rejected CREDENTIALS_INVALID");
        // Names and nice values of its threads (proc(5), field 19 of stat).
        const tasks = `/proc/${server.process.pid}/task`;
        const threads = readdirSync(tasks).map((task) => {
          const [name, fields] = readFileSync(`${tasks}/${task}/stat`, "utf8").split(") ");
          return { name: name?.split("(")[1] ?? "", nice: Number(fields?.split(" ")[16]) };
        });
        const own = threads.find(({ nice }) => nice !== threads[0]?.nice);
        const normal = threads[0]?.nice ?? 0;
        expect(own?.nice).toBe(Math.min(19, normal + 10));
        expect(threads.filter(({ nice }) => nice !== normal)).toEqual([own]);
        expect(threads.filter(({ name }) => name === "libuv-worker").length).toBeLessThanOrEqual(4);
      } finally {
        await database.drop();
      }
    },
  );

  test("SIGHUP reads secrets again, and goes on with the old ones if it cannot", async () => {
    const database = await createServerDatabase();
    try {
      const file = join(directory, "sealing");
      writeFileSync(file, "s".repeat(32), { mode: 0o600 });
      const server = serve(freePorts, {
        OSTIARY_DATABASE_URL: database.url,
        OSTIARY_SECRETS_SEALING: `[{file: ${file}}]`,
      });
      await server.output("CreateRegistrationFlow");
      const lineAfterHangUp = async () => {
        const line = once(server.process.stderr, "data");
        server.process.kill("SIGHUP");
        return String((await line)[0]);
      };
      expect(await lineAfterHangUp()).toContain("were read again");
      writeFileSync(file, "short");
      const refused = await lineAfterHangUp();
      expect(refused).toContain("not reloaded: secrets.sealing[0]");
      // It is the operator's mistake, so there is nothing to look for in the code.
      expect(refused).not.toContain("stack");
      server.process.kill("SIGTERM");
      expect((await server.finished).code).toBe(0);
    } finally {
      await database.drop();
    }
  });

  test.each([
    [
      "that does not run",
      "postgresql://u:hunter2@127.0.0.1:1/db",
      "the database at 127.0.0.1:1 refuses connections",
    ],
    [
      "of a host nobody knows",
      "postgresql://u:hunter2@nowhere.invalid/db?sslmode=verify-full",
      "nowhere.invalid is not known",
    ],
    [
      "that is none",
      "mysql://u:hunter2@localhost/db",
      "database.url (OSTIARY_DATABASE_URL): must be a URL such as",
    ],
  ])("a database %s is one clear line", async (_, url, message) => {
    const environment = { ...sealing, OSTIARY_DATABASE_URL: url };
    const { code, stderr } = await runInProcess(["serve", ...freePorts], { directory, environment });
    expect(code).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stderr).not.toContain("hunter2");
  });

  test.each(["public", "admin"])(
    "a port in use is one clear line that names its key: %s",
    async (listener) => {
      const database = await createServerDatabase();
      const other = createServer().listen(0, "127.0.0.1");
      try {
        await once(other, "listening");
        const address = other.address();
        const port = typeof address === "object" && address !== null ? String(address.port) : "";
        const environment = { ...sealing, OSTIARY_DATABASE_URL: database.url };
        const { code, stderr } = await serve([...freePorts, `--${listener}-port`, port], environment)
          .finished;
        expect(code).toBe(1);
        expect(stderr).toContain(
          `port ${port} on 127.0.0.1 (server.${listener}.port, --${listener}-port) is already in use`,
        );
      } finally {
        other.close();
        await database.drop();
      }
    },
  );
});

describe("serve in a directory that cannot be used", () => {
  test("says so in one line", async () => {
    writeFileSync(join(directory, "file"), "");
    const { code, stderr } = await serve([...freePorts, "--data-directory", "file"]).finished;
    expect(code).toBe(1);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stderr).toContain(join(directory, "file"));
  });
});
