import { readFile, stat } from "node:fs/promises";
import { request } from "node:http";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { runCommandLine } from "../../src/cli/cli.ts";
import type { MessageContent } from "../../src/domain/courier/message.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { openAppQueue } from "../support/app-queue.ts";
import { sealingSecret } from "../support/messages.ts";

let app: TestApp;
let queue: Awaited<ReturnType<typeof openAppQueue>>;
beforeAll(async () => {
  app = await startTestApp({ config: { secrets: { sealing: [sealingSecret] } } });
  queue = await openAppQueue(app);
});
afterAll(async () => {
  await queue.close();
  await app.stop();
});

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

/** A plain request, with whatever Host header a test wants. */
function get(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(app.localUrl + path, { method, headers, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    call.on("error", reject).end();
  });
}

/** Opens a link as a browser does; gives its cookie. */
async function openedBrowser(): Promise<{ cookie: string }> {
  const [line = ""] = await command("mailbox", "--link");
  const { pathname, search } = new URL(line);
  const { headers } = await get(pathname + search);
  const [setCookie = ""] = headers["set-cookie"] ?? [];
  return { cookie: setCookie.split(";")[0] ?? "" };
}

async function command(...words: string[]): Promise<string[]> {
  const lines: string[] = [];
  const code = await runCommandLine([...words, "--data-directory", app.dataDirectory], {
    environment: {},
    isTerminal: false,
    readInput: async () => "",
    print: (line) => lines.push(line),
    warn: (line) => lines.push(line),
  });
  expect(code).toBe(0);
  return lines;
}

const hostile: MessageContent = {
  template: "address_changed",
  data: { new_address_masked: "<script>alert(1)</script>" },
};
const link: MessageContent = {
  template: "login_link",
  data: { url: "https://id.example.com/login?x=1&y=2", minutes: 10 },
};

describe("the mailbox", () => {
  test("shows messages newest first, with subject, text and the mail in a frame", async () => {
    await queue.enqueue(hostile, { recipient: "ada@example.com" });
    const id = await queue.enqueue(link, { recipient: "grace@example.com", language: "de" });
    const browser = await openedBrowser();
    const list = await get("/mailbox", browser);
    expect(list.status).toBe(200);
    expect(list.body.indexOf("grace@example.com")).toBeLessThan(list.body.indexOf("ada@example.com"));
    expect(list.body).toContain("Anmeldung bei Ostiary");
    expect(list.body).toContain("data-version=");
    expect((await get("/mailbox?refresh=off", browser)).body).not.toContain("data-version=");
    expect(list.body).not.toContain("http-equiv");

    const page = await get(`/mailbox/message?id=${id}`, browser);
    expect(page.body).toContain(`<a href="https://id.example.com/login?x=1&amp;y=2"`);
    expect(page.body).toMatch(/<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" title="[^"]+"/);
    const frame = await get(`/mailbox/html?id=${id}`, browser);
    expect(frame.body).toContain("Anmelden</a>");
    // The worker takes them as well, and keeps what they say.
    await vi.waitFor(
      async () => expect((await get("/mailbox", browser)).body).toContain("<span>sent</span>"),
      {
        timeout: 10_000,
      },
    );
    expect((await get(`/mailbox/message?id=${id}`, browser)).body).toContain("Guten Tag");
  });

  test("shows the messages to a recipient, by a part of the address, whatever stands in it", async () => {
    await queue.enqueue(hostile, { recipient: "Filter.Me+100%_@example.com" });
    await queue.enqueue(link, { recipient: "other@example.com" });
    const browser = await openedBrowser();
    const shown = async (to: string) => {
      const { body } = await get(`/mailbox?${new URLSearchParams({ to })}`, browser);
      return [body.includes("Filter.Me+100%_@"), body.includes("other@example.com")];
    };
    expect(await shown("filter.me")).toEqual([true, false]);
    expect(await shown(" 100%_@ ")).toEqual([true, false]);
    expect(await shown("100%%")).toEqual([false, false]);
    expect(await shown("EXAMPLE.COM")).toEqual([true, true]);
    expect(await shown("")).toEqual([true, true]);
    const odd = await get(`/mailbox?${new URLSearchParams({ to: '"><script>alert(1)</script>' })}`, browser);
    expect(odd.body).toContain('value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"');
    expect(odd.body).toContain("There are no messages to such a recipient.");
  });

  test("tells by a HEAD whether there is something new", async () => {
    const browser = await openedBrowser();
    await vi.waitFor(
      async () => expect((await get("/mailbox", browser)).body).not.toContain("<span>queued"),
      {
        timeout: 10_000,
      },
    );
    const version = async () => (await get("/mailbox", browser, "HEAD")).headers.etag;
    const before = await version();
    expect(before).toMatch(/^"\S{22}"$/);
    expect(await version()).toBe(before);
    await queue.enqueue(link, { recipient: "news@example.com" });
    expect(await version()).not.toBe(before);
  });

  // Security rule (SR-MAIL-5): what got into a mail runs nowhere, and no page loads or frames anything foreign.
  test("runs no scripts but its own and lets nothing in", async () => {
    const id = await queue.enqueue(hostile, { recipient: "ada@example.com" });
    const browser = await openedBrowser();
    for (const path of ["/mailbox", `/mailbox/message?id=${id}`, `/mailbox/html?id=${id}`]) {
      const { headers, body } = await get(path, browser);
      const own = path.startsWith("/mailbox/html") ? 0 : 1;
      expect(body.match(/<script/gi) ?? []).toHaveLength(own);
      const policy = String(headers["content-security-policy"]);
      expect(policy).toContain("default-src 'none'");
      expect(policy).not.toMatch(/allow-scripts|allow-same-origin|script-src(?! 'sha256-[^' ]+';)/);
      expect(policy.match(/script-src/g) ?? []).toHaveLength(own);
      expect(headers["x-content-type-options"]).toBe("nosniff");
      expect(headers["cache-control"]).toBe("no-store");
      expect(headers["referrer-policy"]).toBe("no-referrer");
    }
    const { headers } = await get(`/mailbox/html?id=${id}`, browser);
    expect(headers["content-security-policy"]).toMatch(
      /^sandbox .*form-action 'none'.*frame-ancestors 'self'/,
    );
    const list = await get("/mailbox", browser);
    expect(list.headers["content-security-policy"]).toContain("frame-ancestors 'none'");
  });

  test("never shows a suppressed message (SR-ENUM-4)", async () => {
    await queue.enqueue(link, { recipient: "suppressed@example.com", suppressed: true });
    const { body } = await get("/mailbox", await openedBrowser());
    expect(body).not.toContain("suppressed@example.com");
  });

  test.each(["/mailbox/message?id=1", "/mailbox/html?id=../x", "/mailbox/message"])(
    "has nothing at %s",
    async (path) => {
      expect((await get(path, await openedBrowser())).status).toBe(404);
    },
  );
});

describe("the mailbox is closed", () => {
  test.each(["/mailbox", "/mailbox/message?id=1", "/mailbox/html?id=1"])(
    "to a browser that has opened no link (%s)",
    async (path) => {
      expect((await get(path)).status).toBe(401);
      expect((await get(path, { cookie: `ostiary_mailbox=${"0".repeat(64)}` })).status).toBe(401);
    },
  );

  test.each(["/mailbox/messages.json", "/mailbox/link.json"])(
    "to a command line without the token, and to a browser's cookie (%s)",
    async (path) => {
      expect((await get(path)).status).toBe(401);
      expect((await get(path, { authorization: "Bearer x" })).status).toBe(401);
      expect((await get(path, await openedBrowser())).status).toBe(401);
    },
  );

  // Security rule (SR-MAIL-5): a link works once, so that one that was copied from a screen or a history is worth nothing.
  test("to who comes second with a link", async () => {
    const [line = ""] = await command("mailbox", "--link");
    const { pathname, search } = new URL(line);
    expect((await get(pathname + search, {}, "HEAD")).headers["set-cookie"]).toBeUndefined();
    const first = await get(pathname + search);
    expect(first).toMatchObject({ status: 303, headers: { location: "/mailbox" } });
    expect(first.headers["set-cookie"]?.[0]).toMatch(/HttpOnly; SameSite=Lax$/);
    expect((await get(pathname + search)).headers["set-cookie"]).toBeUndefined();
  });

  // Security rule (SR-ORIGIN-3): a page whose host name was made to point here (DNS rebinding) reads nothing.
  test.each([
    "evil.example.com",
    "127.0.0.1.example.com",
    "localhost.example.com:4433",
    "10.0.0.1",
    "127.0.0.1@evil.example.com",
  ])("under the name %j", async (host) => {
    const browser = await openedBrowser();
    const token = await tokenOf();
    expect((await get("/mailbox", { ...browser, host })).status).toBe(403);
    expect((await get("/mailbox?token=x", { host })).status).toBe(403);
    const headers = { host, authorization: `Bearer ${token}` };
    expect((await get("/mailbox/messages.json", headers)).status).toBe(403);
  });

  test.each(["localhost", "LOCALHOST:4433", "127.0.0.1", "[::1]:4433"])(
    "control: it is open under the name %s",
    async (host) => {
      expect((await get("/mailbox", { ...(await openedBrowser()), host })).status).toBe(200);
    },
  );

  test("to what a proxy passes on", async () => {
    const browser = await openedBrowser();
    expect((await get("/mailbox", { ...browser, "x-forwarded-for": "192.0.2.1" })).status).toBe(403);
  });

  test("to other origins, also allowed ones", async () => {
    const { headers } = await get("/mailbox", { ...(await openedBrowser()), origin: app.publicUrl });
    expect(Object.keys(headers).filter((name) => name.startsWith("access-control-"))).toEqual([]);
  });

  test("where a courier or a public URL is configured", async () => {
    for (const settings of [
      { courier: { from_address: "a@example.com", email: { smtp: { url: "smtp://127.0.0.1:1" } } } },
      { public_url: "https://id.example.com" },
    ]) {
      const other = await startTestApp({ config: { tenant_defaults: settings } });
      try {
        expect((await fetch(`${other.localUrl}/mailbox`)).status).toBe(404);
      } finally {
        await other.stop();
      }
    }
  });
});

describe("ostiary mailbox", () => {
  const tokenFile = () => join(app.dataDirectory, "mailbox-token");

  test("prints messages, oldest first, as text or as JSON", async () => {
    await queue.enqueue(link, { recipient: "last@example.com" });
    const lines = await command("mailbox", "--json");
    const messages = lines.map(
      (line) => JSON.parse(line) as { recipient: string; url?: string; time: string },
    );
    expect(messages.at(-1)).toMatchObject({
      recipient: "last@example.com",
      url: "https://id.example.com/login?x=1&y=2",
      subject: "Sign in to Ostiary",
    });
    const times = messages.map(({ time }) => time);
    expect(times).toEqual([...times].sort());
    expect((await command("mailbox")).at(-1)).toContain("https://id.example.com/login?x=1&y=2");
  });

  // Security rule (SR-MAIL-5): who may read the file may read everybody's codes.
  test("enters by a file that only its owner can read", async () => {
    expect((await stat(tokenFile())).mode & 0o777).toBe(0o600);
    expect(dirname(tokenFile())).toBe(app.dataDirectory);
  });
});

async function tokenOf(): Promise<string> {
  return (await readFile(join(app.dataDirectory, "mailbox-token"), "utf8")).split("\n")[1] ?? "";
}
