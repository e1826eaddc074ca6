import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type SocialApp, somebody, startSocialApp, Visitor } from "../support/social.ts";

let app: SocialApp;
beforeAll(async () => {
  const branding = {
    name: "Harbour",
    privacy_url: "https://harbour.example/datenschutz",
    colors: { primary: "#123456" },
  };
  app = await startSocialApp({ providers: { second: { name: "Bolt" } }, tenant: { branding } });
});
afterAll(() => app.stop());

/** Comes back from a provider, with a query that is no answer to anything unless it is given. */
function come(headers: Record<string, string> = {}, query = "code=secret-code&state=secret-state") {
  return fetch(`${app.localUrl}/oidc/callback/first?${query}`, { redirect: "manual", headers });
}

describe("the page for those who came back from a provider in vain", () => {
  test.each([
    ["de", "de", "Die Anmeldung wurde nicht abgeschlossen"],
    ["de-AT;q=0.9, en;q=0.8", "de", "Von vorn beginnen"],
    ["fr, DE;q=0.5", "de", "Es wurde nichts geändert."],
    ["en-US,en;q=0.9,de;q=0.8", "en", "The sign-in was not finished"],
    ["fr", "en", "Start again"],
    ["constructor, __proto__", "en", "Nothing was changed."],
    ["", "en", "started too long ago"],
  ])("is in the language of the browser: %s", async (header, language, sentence) => {
    const answer = await come(header === "" ? {} : { "accept-language": header });
    expect(answer.status).toBe(404);
    expect(answer.headers.get("content-language")).toBe(language);
    const page = await answer.text();
    expect(page).toContain(`<html lang="${language}">`);
    expect(page).toContain(sentence);
    expect(page).toContain(`<a href="${app.publicUrl}/ui/login">`);
  });

  test("repeats nothing of its address, and hands it to nobody (SR-SOCIAL-11)", async () => {
    const answer = await come({}, 'code=secret-code&state=secret-state&x="><script>alert(1)</script>');
    const page = await answer.text();
    for (const shown of [page, JSON.stringify([...answer.headers])]) {
      expect(shown).not.toMatch(/secret-code|secret-state|<script/);
    }
    expect(answer.headers.get("referrer-policy")).toBe("no-referrer");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.getSetCookie()).toEqual([]);
    const style = /<style>(.*?)<\/style>/s.exec(page)?.[1] ?? "";
    const digest = createHash("sha256").update(style).digest("base64");
    expect(answer.headers.get("content-security-policy")).toBe(
      `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
  });

  test("has the name, the colours and the links of the branding", async () => {
    const page = await (await come({ "accept-language": "de" })).text();
    expect(page).toContain("<title>Anmeldung nicht abgeschlossen · Harbour</title>");
    expect(page).toContain('<a href="https://harbour.example/datenschutz">Datenschutz</a>');
    expect(page).toContain("--accent: #123456;");
  });

  test("says why, where that is known", async () => {
    const ada = somebody();
    await new Visitor(app).by("first", ada);
    const visitor = new Visitor(app);
    await visitor.begin("login");
    const back = new URL(await visitor.signIn("first", ada));
    const other = await come({}, back.search.slice(1));
    expect(other.status).toBe(403);
    expect(await other.text()).toContain("started in another browser");
    await visitor.comeBack(back.href);
    const again = await visitor.comeBack(back.href);
    expect(again.status).toBe(409);
    expect(again.text).toContain("This sign-in has already been finished.");
  });
});

describe("the cookie that says what was used last", () => {
  test("holds the id alone, for a year, and marks nothing that is not offered (SR-SOCIAL-12)", async () => {
    const visitor = new Visitor(app);
    await visitor.begin("login");
    const { pathname, search } = new URL(await visitor.signIn("second", somebody()));
    const answer = await visitor.browser.open(pathname + search);
    const cookie = answer.headers.getSetCookie().find((each) => each.includes("_provider="));
    expect(cookie).toBe("ostiary_provider=second; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000");
    for (const kind of ["login", "registration"] as const) {
      await visitor.begin(kind);
      expect(lastUsedIn(visitor)).toEqual([["second"], ["second"]]);
    }
    // It signs nobody in, and in settings nothing is signed in to.
    await visitor.begin("settings");
    expect(lastUsedIn(visitor)).toEqual([[], []]);
    const foreign = await fetch(`${app.localUrl}/ostiary.flow.v1.LoginService/CreateLoginFlow`, {
      method: "POST",
      headers: {
        ...{ "content-type": "application/json", origin: app.publicUrl },
        cookie: "ostiary_provider=nobody",
      },
      body: JSON.stringify({ client: "CLIENT_KIND_BROWSER" }),
    });
    const { flow } = await foreign.json();
    expect(lastUsedIn({ flow })).toEqual([[], []]);
  });

  test("is not set by a login that was begun and not completed", async () => {
    const visitor = new Visitor(app);
    await visitor.begin("login");
    const back = await visitor.signIn("first", { ...somebody(), cancels: true });
    const { pathname, search } = new URL(back);
    const answer = await visitor.browser.open(pathname + search);
    expect(answer.headers.getSetCookie().filter((each) => each.includes("_provider="))).toEqual([]);
  });
});

/** The providers that are marked among the offers, and among the buttons. */
// biome-ignore lint/suspicious/noExplicitAny: the JSON of a flow, as a page's script would see it
function lastUsedIn({ flow }: { readonly flow: any }): readonly (readonly string[])[] {
  const { offers } = flow.chooseMethod ?? flow.fillProfile ?? flow.changeSettings;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  const marked = offers.filter(({ oidc }: any) => oidc?.lastUsed).map(({ oidc }: any) => oidc.provider);
  const buttons = flow.form.nodes
    // biome-ignore lint/suspicious/noExplicitAny: as above
    .filter(({ help }: any) => help?.text === "Last used")
    // biome-ignore lint/suspicious/noExplicitAny: as above
    .map(({ button }: any) => button.value);
  return [marked, buttons];
}
