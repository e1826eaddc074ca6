/** What a call of a browser was answered. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly setCookies: readonly string[];
  // biome-ignore lint/suspicious/noExplicitAny: the JSON of any method, as a page's script would see it
  readonly body: any;
  /** Of an error: what ErrorInfo and Remedy say, in their readable form. */
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>> | undefined;
  readonly remedy: string | undefined;
}

interface Detail {
  readonly type: string;
  readonly debug?: {
    readonly reason?: string;
    readonly metadata?: Record<string, string>;
    readonly description?: string;
  };
}

/** As much of a browser as the contract needs: a cookie jar and JSON posts. */
export class Browser {
  readonly cookies = new Map<string, string>();
  readonly everySetCookie: string[] = [];
  readonly #url: string;

  /** With a second address, calls go there; the first is what the server believes to be reached at. */
  constructor(publicUrl: string, localUrl = publicUrl) {
    this.#url = localUrl;
  }

  /** Posts Connect JSON with the jar's cookies, and keeps the cookies of the answer. */
  async post(path: string, message: object, headers: Record<string, string> = {}): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(this.#url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...(cookie === "" ? {} : { cookie }), ...headers },
      body: JSON.stringify(message),
    });
    const setCookies = response.headers.getSetCookie();
    for (const setCookie of setCookies) this.#keep(setCookie);
    const body = await response.json();
    const details: readonly Detail[] = body.details ?? [];
    const detail = (type: string) => details.find((candidate) => candidate.type === type)?.debug;
    return {
      status: response.status,
      headers: response.headers,
      setCookies,
      body,
      reason: detail("google.rpc.ErrorInfo")?.reason,
      metadata: detail("google.rpc.ErrorInfo")?.metadata,
      remedy: detail("ostiary.error.v1.Remedy")?.description,
    };
  }

  /** Gets a page as a link on another site does, with the jar's cookies, and keeps the cookies of the answer. Follows nothing. */
  async open(
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string }> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(this.#url + path, {
      redirect: "manual",
      headers: {
        accept: "text/html",
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        ...(cookie === "" ? {} : { cookie }),
        ...headers,
      },
    });
    for (const setCookie of response.headers.getSetCookie()) this.#keep(setCookie);
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  #keep(setCookie: string): void {
    this.everySetCookie.push(setCookie);
    const [pair = "", ...attributes] = setCookie.split(";").map((part) => part.trim());
    const name = pair.slice(0, pair.indexOf("="));
    const value = pair.slice(pair.indexOf("=") + 1);
    const ends = attributes.some(
      (attribute) => /^max-age=0$/i.test(attribute) || /^expires=Thu, 01 Jan 1970/i.test(attribute),
    );
    if (ends || value === "") this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}
