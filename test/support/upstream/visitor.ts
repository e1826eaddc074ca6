/** What a person does at a provider's page. */
export interface VisitOptions {
  readonly subject: string;
  /** Default: agrees. */
  readonly cancels?: boolean;
}

/** Where a provider sends the browser back to. */
export interface SentBack {
  readonly url: string;
  /** What is posted there (`response_mode=form_post`). */
  readonly form: URLSearchParams | undefined;
}

const maxSteps = 20;

/** A browser at providers, by fetch: it keeps cookies of each, follows redirects and fills in the pages' forms. */
export class UpstreamVisitor {
  readonly #cookies = new Map<string, Map<string, string>>();

  /** Goes to a URL of a provider and on until it is sent elsewhere, where it does not go. */
  async visit(start: string, options: VisitOptions): Promise<SentBack> {
    const { origin } = new URL(start);
    let next: { readonly url: string; readonly body?: URLSearchParams } = { url: start };
    for (let step = 0; step < maxSteps; step++) {
      const response = await this.#send(next.url, next.body);
      const location = response.headers.get("location");
      if (location !== null) {
        await response.body?.cancel();
        next = { url: new URL(location, next.url).href };
        if (new URL(next.url).origin !== origin) return { url: next.url, form: undefined };
        continue;
      }
      const page = await response.text();
      const form = formIn(page, next.url, options);
      if (form === undefined) throw new Error(`the provider answered ${response.status}: ${page}`);
      if (new URL(form.url).origin !== origin) return { url: form.url, form: form.body };
      next = form;
    }
    throw new Error(`the provider leads on and on: ${next.url}`);
  }

  /** Signs out at a provider's page for that. Gives where it sends the browser; undefined: nowhere. */
  async signOut(url: string): Promise<string | undefined> {
    const { origin } = new URL(url);
    const page = await this.#send(url);
    const form = formIn(await page.text(), url, { subject: "" });
    if (form === undefined) throw new Error("the provider has no page to sign out");
    form.body.set("logout", "yes");
    let response = await this.#send(form.url, form.body);
    for (let step = 0; step < maxSteps; step++) {
      const location = response.headers.get("location");
      await response.body?.cancel();
      if (location === null) return undefined;
      if (new URL(location, url).origin !== origin) return location;
      response = await this.#send(new URL(location, url).href);
    }
    return undefined;
  }

  async #send(url: string, body?: URLSearchParams): Promise<Response> {
    const { origin } = new URL(url);
    const jar = this.#cookies.get(origin) ?? new Map<string, string>();
    this.#cookies.set(origin, jar);
    const response = await fetch(url, {
      method: body === undefined ? "GET" : "POST",
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ") },
      body: body ?? null,
      redirect: "manual",
    });
    for (const setCookie of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(setCookie) ?? [];
      if (value === "") jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  }
}

/** The form of a page, filled in: its own fields, and those that a person fills. */
function formIn(page: string, pageUrl: string, { subject, cancels = false }: VisitOptions) {
  const [, attributes, content = ""] = /<form([^>]*)>(.*?)<\/form>/is.exec(page) ?? [];
  if (attributes === undefined) return undefined;
  const url = new URL(attributeOf(attributes, "action") ?? pageUrl, pageUrl).href;
  const body = new URLSearchParams();
  for (const [input] of content.matchAll(/<input[^>]*>/gi)) {
    const name = attributeOf(input, "name");
    if (name !== undefined) body.set(name, attributeOf(input, "value") ?? "");
  }
  if (body.has("subject")) {
    body.set("subject", subject);
    body.set("choice", cancels ? "cancel" : "consent");
  }
  return { url, body };
}

function attributeOf(tag: string, name: string): string | undefined {
  const [, value] = new RegExp(`\\s${name}="([^"]*)"`, "i").exec(tag) ?? [];
  return value
    ?.replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}
