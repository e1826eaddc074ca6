import { freshEmail, goodPassword } from "./accounts.ts";

/** What a call was answered. */
export interface JsonAnswer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: the JSON of any method
  readonly body: any;
  /** Of an error: the reason of its ErrorInfo. */
  readonly reason: string | undefined;
}

interface Detail {
  readonly type: string;
  readonly debug?: { readonly reason?: string };
}

/** A client without a library: posts JSON to a server, and reads what comes back. Rejects if nothing does. */
export class JsonCaller {
  readonly publicUrl: string;
  readonly #adminUrl: string;
  readonly #apiKey: string;

  constructor(server: { readonly publicUrl: string; readonly adminUrl: string; readonly apiKey: string }) {
    this.publicUrl = server.publicUrl;
    this.#adminUrl = server.adminUrl;
    this.#apiKey = server.apiKey;
  }

  /** Calls a method of the public listener, named without `ostiary.`. */
  open(method: string, message: object, bearer?: string): Promise<JsonAnswer> {
    return post(`${this.publicUrl}/ostiary.${method}`, message, bearer);
  }

  /** Calls a method of the admin API. */
  admin(method: string, message: object): Promise<JsonAnswer> {
    return post(`${this.#adminUrl}/ostiary.${method}`, message, this.#apiKey);
  }

  /** Begins a native flow and gives its id, or the refusal. */
  async begin(kind: FlowKindName, bearer?: string): Promise<JsonAnswer & { readonly flowId: string }> {
    const message = { client: "CLIENT_KIND_NATIVE" };
    const answer = await this.open(`flow.v1.${kind}Service/Create${kind}Flow`, message, bearer);
    return { ...answer, flowId: answer.body.flow?.id ?? "" };
  }

  /** Submits a flow. */
  submit(kind: FlowKindName, flowId: string, fields: object, bearer?: string): Promise<JsonAnswer> {
    return this.open(`flow.v1.${kind}Service/Submit${kind}Flow`, { flowId, ...fields }, bearer);
  }

  /** Begins a login and submits it, unless its beginning was refused. */
  async logIn(identifier: string, password = goodPassword): Promise<JsonAnswer> {
    const begun = await this.begin("Login");
    if (begun.status !== 200) return begun;
    return this.submit("Login", begun.flowId, { identifier, password: { password } });
  }

  /** As `logIn`, for a registration. */
  async register(email = freshEmail(), password = goodPassword): Promise<JsonAnswer> {
    const begun = await this.begin("Registration");
    if (begun.status !== 200) return begun;
    return this.submit("Registration", begun.flowId, { traits: { email }, password: { password } });
  }

  /** Looks at a session as a service does that was sent its token. */
  check(token: string): Promise<JsonAnswer> {
    return this.open("session.v1.SessionService/CheckSession", { token });
  }
}

/** The kinds of flows, as the services are named after them. */
export type FlowKindName = "Login" | "Registration" | "Recovery" | "Verification" | "Settings";

/** What came of a submit: `completed`, `rejected CREDENTIALS_INVALID`, or the status and the reason of a refusal. */
export function resultOf({ status, body, reason }: JsonAnswer): string {
  if (status !== 200) return `${status} ${reason ?? body.code}`;
  const outcome = Object.keys(body).find((name) => name !== "flow") ?? "nothing";
  const why = body[outcome]?.reason;
  return typeof why === "string" ? `${outcome} ${why.replace("REJECTION_REASON_", "")}` : outcome;
}

/** The token of the session that a flow has made; empty if there is none. */
export function tokenIn({ body }: Pick<JsonAnswer, "body">): string {
  return body.completed?.signedIn?.sessionToken ?? "";
}

async function post(url: string, message: object, bearer: string | undefined): Promise<JsonAnswer> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...(bearer && { authorization: `Bearer ${bearer}` }) },
    body: JSON.stringify(message),
  });
  const { status, headers } = response;
  const body = await response.json();
  const details: readonly Detail[] = body.details ?? [];
  const reason = details.find(({ type }) => type === "google.rpc.ErrorInfo")?.debug?.reason;
  return { status, headers, body, reason };
}
