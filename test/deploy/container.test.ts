import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createServerDatabase, type TestDatabase } from "../support/database.ts";
import { isInstalled, outputOf } from "../support/foreign.ts";
import { servingFrom } from "../support/server-process.ts";

const withHadolint = await isInstalled("hadolint", ["--version"]);
const withBubblewrap = await isInstalled("bwrap", ["--version"]);

test.runIf(withHadolint)("the image's description passes hadolint", async () => {
  expect(await outputOf("hadolint", ["deploy/container/Containerfile"])).toBe("");
});

test("the image's account is a number that is not root's, the one of the chart", async () => {
  const description = await readFile("deploy/container/Containerfile", "utf8");
  const [, user] = /^USER (\d+):\1$/m.exec(description) ?? [];
  const deployment = await readFile("deploy/helm/ostiary/templates/deployment.yaml", "utf8");
  expect(Number(user)).toBeGreaterThan(0);
  expect(deployment).toContain(`runAsUser: ${user}\n`);
});

describe.runIf(withBubblewrap)(
  "the server as in a container: a read-only file system, no root, no capabilities (bwrap)",
  () => {
    let database: TestDatabase;
    let relay: Server;
    beforeAll(async () => {
      database = await createServerDatabase();
      // The folder of the database's socket is PostgreSQL's alone, and only root passes there.
      relay = createServer((socket) => {
        const folder = new URL(database.url).searchParams.get("host") ?? "";
        const upstream = connect(join(folder, ".s.PGSQL.5432"));
        for (const each of [socket, upstream]) each.on("error", () => each.destroy());
        socket.pipe(upstream).pipe(socket);
      }).listen(0, "127.0.0.1");
      await once(relay, "listening");
    });
    afterAll(async () => {
      relay.close();
      await database.drop();
    });
    const relayedUrl = () => {
      const url = new URL(database.url);
      url.search = "";
      url.host = `127.0.0.1:${(relay.address() as AddressInfo).port}`;
      return url.href;
    };

    test.each([1, 2])(
      "serves and stops, with %i worker or workers",
      async (workers) => {
        const confined = [
          ...["--unshare-user", "--unshare-pid", "--unshare-ipc", "--uid", "65532", "--gid", "65532"],
          ...["--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"],
          "--die-with-parent",
        ];
        const serve = [process.execPath, "--disable-warning=ExperimentalWarning", "src/main.ts", "serve"];
        const args = ["--workers", String(workers), "--public-port", "0", "--admin-port", "0"];
        const probe =
          'touch /tmp/x 2>/dev/null && echo writable >&2; grep CapEff /proc/self/status >&2; id -u >&2; exec "$@"';
        const child = spawn("bwrap", [...confined, "sh", "-c", probe, "sh", ...serve, ...args], {
          env: { ...process.env, ...servingFrom({ ...database, url: relayedUrl() }) },
          stdio: ["ignore", "pipe", "pipe"],
        });
        let output = "";
        let log = "";
        child.stderr.on("data", (chunk) => {
          log += chunk;
        });
        const exited = once(child, "exit");
        const url = await new Promise<string>((resolve, reject) => {
          child.stdout.on("data", (chunk) => {
            output += chunk;
            const [found] = /http:\/\/[a-z0-9.]+:\d+/.exec(output) ?? [];
            if (found !== undefined) resolve(found);
          });
          child.once("exit", (code) => reject(new Error(`the server ended with ${code}: ${output}${log}`)));
        });
        expect(log).not.toContain("writable");
        expect(log).toContain("CapEff:\t0000000000000000");
        expect(log).toContain("65532");
        expect((await fetch(`${url}/health/ready`)).status).toBe(200);
        // To the server itself: bwrap has no signals to pass on.
        const [inner] = await serverIn(child.pid ?? 0);
        if (inner === undefined) throw new Error("there is no server below bwrap");
        process.kill(inner, "SIGTERM");
        const [code] = await exited;
        expect(code).toBe(0);
        expect(output).toContain("Stopped.");
      },
      120_000,
    );
  },
);

/** The server among what bwrap has started: the first process of a Node below it. */
async function serverIn(parent: number): Promise<number[]> {
  const { childrenOf } = await import("../support/child-processes.ts");
  for (let next = [parent]; next.length > 0; ) {
    const children: number[] = (await Promise.all(next.map(childrenOf))).flat();
    for (const pid of children) {
      const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      if (command.startsWith(process.execPath)) return [pid];
    }
    next = children;
  }
  return [];
}
