import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Clock } from "../../../src/domain/ports.ts";
import type { UpstreamAccount, UpstreamClient, UpstreamCommand, UpstreamName } from "./commands.ts";
import { UpstreamVisitor } from "./visitor.ts";

/** One provider of the process. */
export interface UpstreamProvider {
  /** `http://127.0.0.1:port`: with OpenID Connect its issuer, exactly. */
  readonly url: string;
  /** `127.0.0.1:port`, for `server.outbound.allowed_private_hosts`. */
  readonly host: string;
  /** Makes or changes a client, which may use these redirect URIs; a confidential one with PKCE unless it says otherwise. */
  setClient(
    redirectUris: readonly string[],
    options?: Partial<UpstreamClient>,
  ): Promise<{ readonly clientId: string; readonly clientSecret: string }>;
  /** Sets what it knows of an account: claims of OpenID Connect; with GitHub those of `/user`, and `emails`. */
  setAccount(account: UpstreamAccount): Promise<void>;
  /** Answers all with status 503 from now on, or no more. */
  setDown(down: boolean): Promise<void>;
  /** Signs by new keys from now on. */
  rotateKeys(): Promise<void>;
  /** The requests that it got so far, by method and path: `GET /jwks`. */
  countRequests(): Promise<Readonly<Record<string, number>>>;
}

/** How a person signs in at a provider. */
export interface SignInOptions extends Partial<Omit<UpstreamAccount, "subject">> {
  readonly subject: string;
  readonly cancels?: boolean;
  /** Default: a new browser. */
  readonly visitor?: UpstreamVisitor;
}

/** Real providers in another process. */
export interface Upstream {
  /** `oidc-provider` with the claims of scopes in ID tokens, as Google has them. */
  readonly first: UpstreamProvider;
  /** `oidc-provider` with the claims of scopes in user info alone. */
  readonly second: UpstreamProvider;
  /** OAuth 2 without ID tokens, in the shape of GitHub's. */
  readonly github: UpstreamProvider;
  /** Signs in at the URL that a login begins with, and gives the callback's URL, which is not called. Sets claims before. */
  signInAt(url: string, options: SignInOptions): Promise<string>;
  /** Gives the providers the clock's time, for a browser that signs in by itself. */
  setTime(): Promise<void>;
  /** Everything that the process has written to standard error. */
  errors(): string;
  stop(): Promise<void>;
}

/**
 * Starts the providers. Takes about a second; one for all tests of a file is enough, each with subjects of its own. With a clock,
 * the providers have its time from each sign-in on.
 */
export async function startUpstream({ clock }: { readonly clock?: Clock } = {}): Promise<Upstream> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", "test/support/upstream/upstream-process.ts"],
    // Its input ends with us, and it with its input: a test that timed out may leave one behind.
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => {
    errors += String(chunk);
  });
  const exited = once(child, "exit");
  const ended = exited.then(([code]) => {
    throw new Error(`the providers ended with ${code}: ${errors}`);
  });
  // Once they run, their end is asked for.
  ended.catch(() => {});
  const [line] = (await Promise.race([
    once(createInterface({ input: child.stdout }), "line"),
    ended,
  ])) as string[];
  const urls = JSON.parse(line ?? "") as Record<UpstreamName | "control", string>;

  const send = async (name: UpstreamName, command: UpstreamCommand) => {
    const response = await fetch(`${urls.control}/${name}`, {
      method: "POST",
      body: JSON.stringify(command),
    });
    if (!response.ok) throw new Error(`${command.do}: ${await response.text()}`);
    return response.json();
  };
  const setTime = async () => {
    if (clock === undefined) return;
    await send("first", { do: "set_time", offsetMs: clock.now().getTime() - Date.now() });
  };
  await setTime();

  const providerAt = (name: UpstreamName): UpstreamProvider => {
    const command = (wanted: UpstreamCommand) => send(name, wanted);
    return {
      url: urls[name],
      host: new URL(urls[name]).host,
      setClient: async (redirectUris, options = {}) => {
        const client = { clientId: randomUUID(), clientSecret: randomUUID(), ...options, redirectUris };
        await command({ do: "set_client", client });
        return client;
      },
      setAccount: async (account) => {
        await command({ do: "set_account", account });
      },
      setDown: async (down) => {
        await command({ do: "set_down", down });
      },
      rotateKeys: async () => {
        await command({ do: "rotate_keys" });
      },
      countRequests: async () => (await command({ do: "count_requests" })) as Record<string, number>,
    };
  };
  const providers = {
    first: providerAt("first"),
    second: providerAt("second"),
    github: providerAt("github"),
  };
  return {
    ...providers,
    signInAt: async (url, { cancels, visitor = new UpstreamVisitor(), ...account }) => {
      const { origin } = new URL(url);
      const provider = Object.values(providers).find((candidate) => candidate.url === origin);
      if (provider === undefined) throw new Error(`${origin} is none of the providers`);
      await setTime();
      const { claims, acr, amr } = account;
      if (claims !== undefined || acr !== undefined || amr !== undefined) await provider.setAccount(account);
      const back = await visitor.visit(url, {
        subject: account.subject,
        ...(cancels === undefined ? {} : { cancels }),
      });
      if (back.form !== undefined) throw new Error("the answer is posted: call visit of a visitor");
      return back.url;
    },
    setTime,
    errors: () => errors,
    stop: async () => {
      child.stdin.end();
      await exited;
    },
  };
}
