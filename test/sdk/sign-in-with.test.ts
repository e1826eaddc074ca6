import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { createFlow } from "../../sdk/typescript/src/form.ts";
import {
  createOstiary,
  providersOf,
  reasonOf,
  type SubmitOutcome,
  signInWith,
} from "../../sdk/typescript/src/index.ts";
import { register } from "../support/accounts.ts";
import { idTokenFor, type SocialApp, somebody, startSocialApp } from "../support/social.ts";

let app: SocialApp;
const returnUrl = "com.example.app:/signed-in";
beforeAll(async () => {
  app = await startSocialApp({
    oidc: { native_return_urls: [returnUrl, "http://127.0.0.1/signed-in"] },
    providers: { first: { name: "Acme", logo: "google" }, second: { name: "Bolt" }, github: {} },
  });
});
afterAll(() => app.stop());

const ostiary = () => createOstiary({ baseUrl: app.localUrl });
const nativeFlow = (kind: "login" | "registration" = "login") =>
  createFlow(ostiary(), kind, { client: ClientKind.NATIVE });

/** The system's browser: signs in at the provider, and gives where it is led by the server. */
async function browse(url: string, as = somebody()): Promise<string> {
  const { pathname, search } = new URL(await app.upstream.signInAt(url, as));
  const response = await fetch(app.localUrl + pathname + search, { redirect: "manual" });
  return response.headers.get("location") ?? "";
}

function tokenIn(outcome: SubmitOutcome): string {
  return (outcome.kind === "completed" && outcome.completed.signedIn?.sessionToken) || "";
}

describe("providersOf", () => {
  test("gives the providers that a flow offers, in their order", async () => {
    const offered = (flow: Flow) =>
      providersOf(flow).map(({ provider, name, logo }) => [provider, name, logo]);
    const all = [
      ["first", "Acme", "google"],
      ["second", "Bolt", ""],
      ["github", "GitHub", "github"],
    ];
    for (const kind of ["login", "registration"] as const)
      expect(offered(await nativeFlow(kind))).toEqual(all);
    const { sessionToken } = await register(app);
    const owner = createOstiary({ baseUrl: app.localUrl, token: sessionToken });
    const settings = await createFlow(owner, "settings", { client: ClientKind.NATIVE });
    expect(offered(settings)).toEqual(all);
    expect(providersOf(settings)[0]?.label?.text).toBe("Link Acme");
    expect(offered(await createFlow(ostiary(), "recovery", { client: ClientKind.NATIVE }))).toEqual([]);
  });
});

describe("signInWith, in a native app", () => {
  test("opens the provider in the system's browser, and hands in what comes back", async () => {
    let opened = "";
    const outcome = await signInWith(ostiary(), await nativeFlow(), "first", {
      returnUrl,
      open: (url) => {
        opened = url;
      },
      waitForReturn: () => browse(opened),
    });
    expect(tokenIn(outcome)).toMatch(/^ost_ses_/);
    expect(opened.startsWith(app.providers.first.url)).toBe(true);
  });

  test("works with a port of the loopback address, where the app listens", async () => {
    const arrived = Promise.withResolvers<string>();
    const server = createServer((request, response) => {
      arrived.resolve(`http://127.0.0.1${request.url}`);
      response.end("You can close this window.");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const outcome = await signInWith(ostiary(), await nativeFlow(), "second", {
      returnUrl: `http://127.0.0.1:${port}/signed-in`,
      open: async (url) => {
        await fetch(await browse(url));
      },
      waitForReturn: () => arrived.promise,
    });
    server.close();
    expect(tokenIn(outcome)).toMatch(/^ost_ses_/);
  });

  test("links an account in settings", async () => {
    const { sessionToken } = await register(app);
    const owner = createOstiary({ baseUrl: app.localUrl, token: sessionToken });
    const settings = await createFlow(owner, "settings", { client: ClientKind.NATIVE });
    let opened = "";
    const outcome = await signInWith(owner, settings, "first", {
      returnUrl,
      open: (url) => {
        opened = url;
      },
      waitForReturn: () => browse(opened),
    });
    if (outcome.kind !== "saved") throw new Error(`it was ${outcome.kind}`);
    expect(providersOf(outcome.flow).map(({ provider }) => provider)).toEqual(["second", "github"]);
  });

  test("hands in an ID token that was made for the flow's nonce", async () => {
    const outcome = await signInWith(ostiary(), await nativeFlow(), "first", {
      idToken: (nonce) => idTokenFor(app, nonce, somebody()),
    });
    expect(tokenIn(outcome)).toMatch(/^ost_ses_/);
    const flow = await nativeFlow();
    const idToken = async () => "";
    await expect(signInWith(ostiary(), flow, "github", { idToken })).rejects.toThrow("takes no ID token");
    await expect(signInWith(ostiary(), flow, "none", { idToken })).rejects.toThrow("takes no ID token");
  });

  test("leaves the flow as it is if the person gives up, or the app is opened by something else", async () => {
    const flow = await nativeFlow();
    const open = () => undefined;
    const givenUp = signInWith(ostiary(), flow, "first", {
      ...{ returnUrl, open },
      waitForReturn: () => Promise.reject(new Error("given up")),
    });
    await expect(givenUp).rejects.toThrow("given up");
    for (const url of [returnUrl, `${returnUrl}?exchange_code=`, "no url"]) {
      const foreign = signInWith(ostiary(), flow, "first", {
        returnUrl,
        open,
        waitForReturn: async () => url,
      });
      await expect(foreign).rejects.toThrow("without exchange_code");
    }
    const forged = await signInWith(ostiary(), flow, "first", {
      ...{ returnUrl, open },
      waitForReturn: async () => `${returnUrl}?exchange_code=forged`,
    });
    expect(forged).toMatchObject({ kind: "rejected" });
    let opened = "";
    const right = await signInWith(ostiary(), flow, "first", {
      returnUrl,
      open: (url) => {
        opened = url;
      },
      waitForReturn: () => browse(opened),
    });
    expect(tokenIn(right)).toMatch(/^ost_ses_/);
  });

  test("says what the server says", async () => {
    const foreign = {
      returnUrl: "com.example.other:/",
      open: () => undefined,
      waitForReturn: async () => "",
    };
    const refused = await signInWith(ostiary(), await nativeFlow(), "first", foreign).catch(reasonOf);
    expect(refused).toBe("RETURN_TO_NOT_ALLOWED");
    const unknown = await signInWith(ostiary(), await nativeFlow(), "none", { ...foreign, returnUrl }).catch(
      reasonOf,
    );
    expect(unknown).toBe("REQUEST_INVALID");
  });
});

describe("signInWith", () => {
  test("takes what fits the client, and nothing else", async () => {
    const native = await nativeFlow();
    await expect(signInWith(ostiary(), native, "first")).rejects.toThrow("a native flow needs returnUrl");
    const unknown = { returnUrl, open: () => undefined, waitForReturn: async () => "", retrun: 1 };
    await expect(signInWith(ostiary(), native, "first", unknown)).rejects.toThrow("retrun");
    const browser = { ...native, client: ClientKind.BROWSER };
    await expect(signInWith(ostiary(), browser, "first", { idToken: async () => "" })).rejects.toThrow(
      "a browser flow takes no options",
    );
  });

  test("gives a web page the address to send the browser to", async () => {
    const cookies: string[] = [];
    // As a server does that draws the pages: it hands on the cookies.
    const visitor = createOstiary({
      baseUrl: app.localUrl,
      fetch: async (input, init) => {
        const headers = new Headers(init?.headers);
        headers.set("cookie", cookies.join("; "));
        headers.set("origin", app.publicUrl);
        const response = await fetch(input, { ...init, headers });
        cookies.push(...response.headers.getSetCookie().map((each) => each.split(";", 1)[0] ?? ""));
        return response;
      },
    });
    const flow = await createFlow(visitor, "login", { client: ClientKind.BROWSER });
    const outcome = await signInWith(visitor, flow, "first");
    if (outcome.kind !== "redirect") throw new Error(`it was ${outcome.kind}`);
    expect(outcome.url.startsWith(app.providers.first.url)).toBe(true);
    expect(outcome.fields).toEqual({});
    const { pathname, search } = new URL(await app.upstream.signInAt(outcome.url, somebody()));
    const headers = { cookie: cookies.join("; ") };
    const back = await fetch(app.localUrl + pathname + search, { redirect: "manual", headers });
    expect(back.status).toBe(303);
    expect(back.headers.getSetCookie().some((each) => each.includes("_session="))).toBe(true);
  });
});
