import { freshEmail, goodPassword } from "./accounts.ts";
import { type Answer, Browser } from "./browser.ts";

/** The kinds of flows, as the names of their services and methods begin. */
export const kinds = ["Login", "Registration", "Recovery", "Verification", "Settings"] as const;
export type Kind = (typeof kinds)[number];

/** Headers of a call, besides those that all have. */
export type Sent = Readonly<Record<string, string>>;

/** As much of a flow as these tests read. */
export interface HeldFlow {
  readonly id: string;
  readonly csrfToken?: string;
}

/** Where a server is reached. */
export interface Reached {
  readonly publicUrl: string;
  /** Where the public listener is reached in fact, if `publicUrl` is only what the server believes. */
  readonly localUrl?: string;
  readonly adminUrl?: string;
  readonly apiKey?: string;
}

export const native = { client: "CLIENT_KIND_NATIVE" } as const;
export const browser = { client: "CLIENT_KIND_BROWSER" } as const;
export const bearer = (token: string): Sent => ({ authorization: `Bearer ${token}` });

/**
 * A client that knows the contract by its names alone: JSON that is posted, with the cookies that were set before. Rejects
 * if nothing comes back.
 */
export class Caller extends Browser {
  /** Where its calls of the public listener go. */
  readonly url: string;
  readonly #operator: Browser;
  readonly #apiKey: string;

  constructor({ publicUrl, localUrl = publicUrl, adminUrl = "", apiKey = "" }: Reached) {
    super(publicUrl, localUrl);
    this.url = localUrl;
    this.#operator = new Browser(adminUrl);
    this.#apiKey = apiKey;
  }

  get cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  }

  /** Calls a method of the public listener, named without `ostiary.`. */
  call(method: string, message: object, sent: Sent = {}): Promise<Answer> {
    return this.post(`/ostiary.${method}`, message, sent);
  }

  /** Calls a method of the admin API. */
  admin(method: string, message: object): Promise<Answer> {
    return this.#operator.post(`/ostiary.${method}`, message, bearer(this.#apiKey));
  }

  create(kind: Kind, fields: object = native, sent: Sent = {}): Promise<Answer> {
    return this.call(`flow.v1.${kind}Service/Create${kind}Flow`, fields, sent);
  }

  /** Begins a native flow and gives it. */
  async begin(kind: Kind, sent: Sent = {}): Promise<HeldFlow> {
    return (await this.create(kind, native, sent)).body.flow;
  }

  submit(kind: Kind, flow: HeldFlow, fields: object, sent: Sent = {}): Promise<Answer> {
    return this.call(`flow.v1.${kind}Service/Submit${kind}Flow`, { ...named(flow), ...fields }, sent);
  }

  /** The same by the form, for any kind of flow. */
  press(flow: HeldFlow, step: string, values: object = {}, sent: Sent = {}): Promise<Answer> {
    return this.call("flow.v1.FlowService/SubmitForm", { ...named(flow), step, values }, sent);
  }

  get({ id }: HeldFlow, sent: Sent = {}): Promise<Answer> {
    return this.call("flow.v1.FlowService/GetFlow", { flowId: id }, sent);
  }

  session(method: string, message: object = {}, sent: Sent = {}): Promise<Answer> {
    return this.call(`session.v1.SessionService/${method}`, message, sent);
  }

  /** Looks at a session as a service does that was sent its token. */
  check(token: string): Promise<Answer> {
    return this.session("CheckSession", { token });
  }

  /** The same from the database and not from memory. */
  checkStrongly(token: string): Promise<Answer> {
    return this.session("CheckSession", { token, consistency: "CONSISTENCY_STRONG" });
  }

  /** Begins a flow and takes its first step; gives what was answered, and the flow. */
  async walk(kind: Kind, fields: object, begin: object = native, sent: Sent = {}) {
    const { flow } = (await this.create(kind, begin, sent)).body;
    const answer = await this.submit(kind, flow, fields, sent);
    return { flow: { ...flow, ...answer.body.flow }, answer, outcome: outcomeOf(answer) };
  }

  /** Begins a native login and submits it, unless its beginning was refused. */
  async logIn(identifier: string, password = goodPassword): Promise<Answer> {
    return this.#beginAndSubmit("Login", { identifier, password: { password } });
  }

  /** As `logIn`, for a registration. */
  async register(email = freshEmail(), password = goodPassword): Promise<Answer> {
    return this.#beginAndSubmit("Registration", { traits: { email }, password: { password } });
  }

  async #beginAndSubmit(kind: Kind, fields: object): Promise<Answer> {
    const begun = await this.create(kind);
    return begun.status === 200 ? this.submit(kind, begun.body.flow, fields) : begun;
  }
}

function named({ id, csrfToken }: HeldFlow): object {
  return { flowId: id, ...(csrfToken && { csrfToken }) };
}

/** The reason of a refused call, or the name of the outcome; of a rejection its reason. */
export function outcomeOf({ body, reason }: Answer): string {
  if (reason !== undefined) return reason;
  const name = Object.keys(body).find((field) => field !== "flow" && field !== "replaced") ?? "shown";
  return name === "rejected" ? body.rejected.reason : name;
}

/** The same with the status and for reading: `completed`, `rejected CREDENTIALS_INVALID`, `429 SERVER_OVERLOADED`. */
export function resultOf({ status, body, reason }: Answer): string {
  if (status !== 200) return `${status} ${reason ?? body.code}`;
  const outcome = Object.keys(body).find((name) => name !== "flow") ?? "nothing";
  const why = body[outcome]?.reason;
  return typeof why === "string" ? `${outcome} ${why.replace("REJECTION_REASON_", "")}` : outcome;
}

/** The token of the session that a flow has made; empty if there is none. */
export function tokenIn({ body }: Pick<Answer, "body">): string {
  return body.completed?.signedIn?.sessionToken ?? "";
}
