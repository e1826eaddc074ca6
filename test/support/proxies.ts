import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { type AddressInfo, connect, createServer as createNetServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** A proxy of the field, as the page of it in docs/ sets it up. */
export interface RunningProxy {
  readonly url: string;
  stop(): Promise<void>;
}

/** The proxies, and how they are started with a file of configuration. */
export const proxies = {
  nginx: {
    program: "/usr/sbin/nginx",
    version: ["-v"],
    file: "nginx.conf",
    wrap: (
      server: string,
      directory: string,
    ) => `daemon off; worker_processes 1; pid ${directory}/pid; error_log stderr;
      ${process.getuid?.() === 0 ? "user root;" : ""}
      events {}
      http {
        access_log off;
        client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy;
        fastcgi_temp_path ${directory}/a; uwsgi_temp_path ${directory}/b; scgi_temp_path ${directory}/c;
        ${server}
      }`,
    arguments: (file: string) => ["-c", file, "-e", "stderr"],
  },
  caddy: {
    program: "caddy",
    version: ["version"],
    file: "Caddyfile",
    wrap: (site: string) => `{\n\tadmin off\n\tauto_https off\n}\n${site}`,
    arguments: (file: string) => ["run", "--config", file, "--adapter", "caddyfile"],
  },
  envoy: {
    program: process.env.OSTIARY_TEST_ENVOY ?? "envoy",
    version: ["--version"],
    file: "envoy.yaml",
    wrap: (bootstrap: string) => bootstrap,
    arguments: (file: string) => [
      "-c",
      file,
      "--use-dynamic-base-id",
      "--log-level",
      "error",
      "--concurrency",
      "1",
    ],
  },
} as const;

/** The name of a proxy. */
export type ProxyName = keyof typeof proxies;

/** The configuration of a proxy on its page in docs/. */
export async function documentedConfig(name: ProxyName): Promise<string> {
  const page = await readFile("docs/forward-auth.md", "utf8");
  const found = new RegExp(`<!-- proxy: ${name} -->\\n\`\`\`\\w+\\n([^]*?)\n\`\`\``).exec(page)?.[1];
  if (found === undefined) throw new Error(`docs/forward-auth.md has no configuration of ${name}`);
  return found;
}

/** Starts a proxy with its documented configuration, on `port`, in front of the application and the server. */
export async function startProxy(
  name: ProxyName,
  at: { readonly port: number; readonly applicationPort: number; readonly ostiaryPort: number },
): Promise<RunningProxy> {
  const { program, file, wrap, arguments: toArguments } = proxies[name];
  const directory = await mkdtemp(join(tmpdir(), `ostiary-${name}-`));
  const documented = await documentedConfig(name);
  const moved = documented
    .replaceAll("127.0.0.1:3000", `127.0.0.1:${at.applicationPort}`)
    .replaceAll("127.0.0.1:4435", `127.0.0.1:${at.ostiaryPort}`)
    .replace("port_value: 3000", `port_value: ${at.applicationPort}`)
    .replace("port_value: 4435", `port_value: ${at.ostiaryPort}`)
    .replace("listen 80;", `listen 127.0.0.1:${at.port};`)
    .replace("address: 0.0.0.0, port_value: 80 ", `address: 127.0.0.1, port_value: ${at.port} `)
    .replace("http://app.example.com {", `http://:${at.port} {\n\tbind 127.0.0.1`);
  const path = join(directory, file);
  await writeFile(path, wrap(moved, directory));
  const child = spawn(program, toArguments(path), {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory },
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      said += String(chunk);
    });
  const exited = once(child, "exit");
  await listening(at.port, child).catch((error: Error) => {
    child.kill("SIGKILL");
    throw new Error(`${name} does not listen: ${error.message}\n${said}`);
  });
  return {
    url: `http://127.0.0.1:${at.port}`,
    stop: async () => {
      child.kill("SIGTERM");
      await Promise.race([exited, delay(5_000, undefined, { ref: false })]);
      child.kill("SIGKILL");
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  const until = Date.now() + 20_000;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`it ended with code ${child.exitCode}`);
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      });
      socket.on("error", () => resolve(false));
    });
    if (isOpen) return;
    if (Date.now() > until) throw new Error("not within 20 seconds");
    await delay(50);
  }
}

/** A port that is free at the moment. */
export async function freePort(): Promise<number> {
  const server = createNetServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

/** An application that answers with what it was sent. */
export interface EchoingApplication {
  readonly port: number;
  /** The headers of the requests that came, oldest first. */
  readonly requests: { readonly url: string; readonly headers: IncomingHttpHeaders }[];
  stop(): Promise<void>;
}

/** Starts it on a free port. */
export async function startEchoingApplication(): Promise<EchoingApplication> {
  const requests: EchoingApplication["requests"] = [];
  const server = createServer((request, response) => {
    requests.push({ url: request.url ?? "", headers: request.headers });
    response.writeHead(200, { "content-type": "text/plain" }).end("the application");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
