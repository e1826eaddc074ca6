// What became of the mails of flows: mail/t12 (addresses of all alphabets, recipients that are refused) and mail/t44 (a
// provider that answers in all ways).
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { bearer, Caller, resultOf, tokenIn } from "../support/caller.ts";
import { type OtherServer, startOtherServer } from "../support/http-server.ts";
import { type MailServer, smtpError, startMailServer } from "../support/mail-server.ts";
import { administer } from "../support/postgres.ts";

/** How long messages are waited for; it says nothing of how fast they are. */
const patience = { timeout: 20_000, interval: 50 };

interface Message {
  readonly id: string;
  readonly state: string;
  readonly lastError?: string;
  readonly nextAttemptTime?: string;
}

/** A server that sends mail in one way, and what its operator sees of the newest message to an address. */
async function startWithCourier(email: object, server: object = {}) {
  const courier = { from_address: "no-reply@example.com", email };
  const app = await startTestApp({ config: { server, tenant_defaults: { courier } } });
  const caller = new Caller(app);
  const find = async (recipient: string): Promise<Message> => {
    const { body } = await caller.admin("courier.v1.CourierService/ListMessages", { recipient });
    const [message] = body.messages ?? [];
    return { ...message, state: String(message?.state).replace("COURIER_MESSAGE_STATE_", "") };
  };
  /** Lets the pauses between attempts go by, until a message stays where it is. */
  const settle = (recipient: string) =>
    vi.waitFor(async () => {
      const message = await find(recipient);
      const waitMs = Date.parse(message.nextAttemptTime ?? "") - app.clock.now().getTime();
      if (message.state === "QUEUED" && message.lastError !== undefined && waitMs > 0)
        app.clock.advance(waitMs);
      expect(["SENT", "FAILED"]).toContain(message.state);
      return message;
    }, patience);
  return { app, caller, find, settle };
}
type WithCourier = Awaited<ReturnType<typeof startWithCourier>>;

describe("a mail server that takes addresses of all alphabets", () => {
  let server: MailServer;
  let app: TestApp;
  let caller: Caller;
  let settle: WithCourier["settle"];
  let find: WithCourier["find"];
  const asked = new Map<string, number>();

  beforeAll(async () => {
    server = await startMailServer({
      onRcptTo: ({ address }, _session, callback) => {
        const times = (asked.get(address) ?? 0) + 1;
        asked.set(address, times);
        if (address.startsWith("bad")) callback(smtpError(550, "5.1.1 no such user"));
        else if (address.startsWith("grey") && times === 1) callback(smtpError(450, "4.2.0 greylisted"));
        else callback();
      },
    });
    ({ app, caller, settle, find } = await startWithCourier({
      smtp: { url: `smtp://127.0.0.1:${server.port}` },
    }));
  });
  afterAll(async () => {
    await app.stop();
    await server.close();
  });

  /** The mails to an address, which the server shows with its domain in letters. */
  const mailsTo = (address: string) => server.mails.filter(({ to }) => to.includes(address));

  test.each([
    ["tëst@example.com", "te\u0308st@example.com"],
    ["ada@münchen.de", "ada@MÜNCHEN.de", "ada@xn--mnchen-3ya.de", "ada@mu\u0308nchen.de"],
    ["пример@кц.рф", "ПРИМЕР@КЦ.РФ"],
    ["example@რეგისტრაცია.გე"],
    ["ada@example.org", "ada＠example.org", "ADA@EXAMPLE.ORG"],
    ["ada@bücher.example", "ada@bücher。example"],
    ["田中@例え.jp"],
    // IDNA 2008: ß is a letter of its own, so these are two domains, of two owners.
    ["max@maßanfertigung.de"],
    ["max@massanfertigung.de"],
  ])("gets the code of %s, once, and so does another spelling of it", async (address, ...others) => {
    expect(resultOf(await caller.register(address))).toBe("completed");
    await vi.waitFor(() => expect(mailsTo(address)).toHaveLength(1), patience);
    for (const other of others) {
      expect(resultOf(await caller.register(other))).toBe("rejected IDENTIFIER_TAKEN");
      expect(resultOf(await caller.logIn(other))).toBe("completed");
    }
    expect((await settle(address)).state).toBe("SENT");
    expect(mailsTo(address)).toHaveLength(1);
  });

  test.each(["me@notld", "me@", "@example.com", "a b@example.com", "me@example..com", "me@-x.example"])(
    "is sent nothing for %j, which is refused at its field",
    async (address) => {
      const queued = () =>
        administer(app.databaseUrl, (query) => query("SELECT count(*)::int AS count FROM ostiary.message"));
      const before = await queued();
      const answer = await caller.register(address);
      expect(resultOf(answer)).toBe("rejected TRAITS_INVALID");
      const node = answer.body.flow.form.nodes.find(({ name }: { name: string }) => name === "traits.email");
      expect(node.messages).toMatchObject([{ id: 4000040 }]);
      expect(await queued()).toEqual(before);
    },
  );

  test("and one that refuses a recipient or asks to wait keeps nobody else from their mail", async () => {
    const [bad = "", grey = "", after = ""] = ["bad", "grey", "after"].map((name) => name + freshEmail());
    for (const address of [bad, grey, after])
      expect(resultOf(await caller.register(address))).toBe("completed");
    const states = [];
    for (const address of [after, bad, grey]) states.push((await settle(address)).state);
    expect(states).toEqual(["SENT", "FAILED", "SENT"]);
    expect((await find(bad)).lastError).toContain("550");
    expect([bad, grey, after].map((address) => asked.get(address))).toEqual([1, 2, 1]);
  });
});

describe("a mail server that does not offer SMTPUTF8", () => {
  let server: MailServer;
  let app: TestApp;
  let caller: Caller;
  let settle: WithCourier["settle"];

  beforeAll(async () => {
    server = await startMailServer({ hideSMTPUTF8: true });
    ({ app, caller, settle } = await startWithCourier({ smtp: { url: `smtp://127.0.0.1:${server.port}` } }));
    // From the first mail on it is known what the server takes.
    const first = freshEmail();
    expect(resultOf(await caller.register(first))).toBe("completed");
    expect((await settle(first)).state).toBe("SENT");
  });
  afterAll(async () => {
    await app.stop();
    await server.close();
  });

  const saidAt = (answer: Awaited<ReturnType<Caller["register"]>>) =>
    answer.body.flow.form.nodes.find(({ name }: { name: string }) => name === "traits.email").messages;

  test.each(["tëst@example.com", "пример@кц.рф", "田中@example.jp"])(
    "cannot reach %s, which is refused when it is entered",
    async (address) => {
      const answer = await caller.register(address);
      expect(resultOf(answer)).toBe("rejected TRAITS_INVALID");
      expect(saidAt(answer)).toMatchObject([{ id: 9000126 }]);
      expect(server.mails.flatMap(({ to }) => to)).not.toContain(address);
    },
  );

  test("reaches addresses whose domain alone is beyond ASCII", async () => {
    expect(resultOf(await caller.register("ada@bücher.example"))).toBe("completed");
    expect((await settle("ada@bücher.example")).state).toBe("SENT");
  });

  test("keeps nobody from changing something else who has such an address already", async () => {
    const identities = "identity.v1.IdentityService";
    const traits = { email: "grüße@example.com" };
    const { body } = await caller.admin(`${identities}/CreateIdentity`, {
      traits,
      credentials: { password: { password: goodPassword } },
      verifiedAddresses: [{ value: traits.email }],
    });
    expect(body.identity?.traits).toEqual(traits);
    const token = tokenIn(await caller.logIn(traits.email));
    const change = async (email: string) => {
      const flow = await caller.begin("Settings", bearer(token));
      return caller.submit("Settings", flow, { traits: { email }, profile: {} }, bearer(token));
    };
    expect(resultOf(await change(traits.email))).not.toContain("rejected");
    const other = await change("naïve@example.com");
    expect(resultOf(other)).toBe("rejected TRAITS_INVALID");
    expect(saidAt(other)).toMatchObject([{ id: 9000126 }]);
  });
});

test("a mail server that is configured to take none of them is not asked (utf8: no)", async () => {
  const server = await startMailServer();
  const { app, caller } = await startWithCourier({
    smtp: { url: `smtp://127.0.0.1:${server.port}`, utf8: "no" },
  });
  try {
    expect(resultOf(await caller.register("tëst@example.com"))).toBe("rejected TRAITS_INVALID");
    expect(server.connections()).toBe(0);
  } finally {
    await app.stop();
    await server.close();
  }
});

describe("a provider over HTTP", () => {
  type Answer = (response: ServerResponse) => void;
  const status =
    (code: number, headers: Record<string, string> = {}): Answer =>
    (response) =>
      response.writeHead(code, headers).end();
  const hangUp: Answer = (response) => response.socket?.destroy();
  const taken = status(202);

  let provider: OtherServer;
  let app: TestApp;
  let caller: Caller;
  let settle: WithCourier["settle"];
  let find: WithCourier["find"];
  let answers: readonly Answer[];
  const requests: IncomingHttpHeaders[] = [];

  beforeAll(async () => {
    provider = await startOtherServer((request, response) => {
      requests.push(request.headers);
      const answer = answers[requests.length - 1] ?? hangUp;
      request.resume().on("end", () => answer(response));
    });
    const signing_secrets = [`whsec_${Buffer.alloc(32, 7).toString("base64")}`];
    ({ app, caller, settle, find } = await startWithCourier(
      { http: { url: `${provider.url}/messages`, signing_secrets } },
      { outbound: { allowed_private_hosts: [`127.0.0.1:${provider.port}`] } },
    ));
  });
  afterAll(async () => {
    await app.stop();
    await provider.stop();
  });

  /** Registers somebody whose mail is answered so. */
  async function registerWith(those: readonly Answer[]): Promise<string> {
    requests.length = 0;
    answers = those;
    const address = freshEmail();
    expect(resultOf(await caller.register(address))).toBe("completed");
    return address;
  }

  const halfABody: Answer = (response) => {
    response.writeHead(202, { "content-length": "1000" }).write("half", () => hangUp(response));
  };
  test.each<[name: string, answers: readonly Answer[], state: string]>([
    ["200", [status(200)], "SENT"],
    ["204", [status(204)], "SENT"],
    ["202 after a moment", [(response) => setTimeout(() => taken(response), 300)], "SENT"],
    ["202 with half a body, and a reset", [halfABody], "SENT"],
    ["a closed connection, then 202", [hangUp, taken], "SENT"],
    ["503, then a closed connection, then 202", [status(503), hangUp, taken], "SENT"],
    ["307 elsewhere, then 202", [status(307, { location: "/elsewhere" }), taken], "SENT"],
    ["429 with Retry-After, then 202", [status(429, { "retry-after": "20" }), taken], "SENT"],
    ["408, then 202", [status(408), taken], "SENT"],
    ["422", [status(422)], "FAILED"],
    ["400", [status(400)], "FAILED"],
  ])(
    "that answers %s gets the mail of a registration as often, under one id",
    async (_name, those, state) => {
      const address = await registerWith(those);
      const message = await settle(address);
      expect(message.state).toBe(state);
      expect(requests).toHaveLength(those.length);
      const ids = requests.flatMap((headers) => [headers["idempotency-key"], headers["webhook-id"]]);
      expect(new Set(ids)).toEqual(new Set([message.id]));
    },
  );

  // Our key, or our account: somebody will put it right.
  test.each([401, 403])(
    "that answers %i for a while is named, and gets the mail by itself, under the same id",
    async (code) => {
      const refused = Array.from({ length: 3 }, () => status(code));
      const address = await registerWith([...refused, taken]);
      await vi.waitFor(async () => expect((await find(address)).lastError).toContain(String(code)), patience);
      const { id: messageId } = await find(address);
      expect((await settle(address)).state).toBe("SENT");
      expect(requests.map((headers) => headers["idempotency-key"])).toEqual(
        Array.from({ length: 4 }, () => messageId),
      );
    },
  );
});
