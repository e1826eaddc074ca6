import type { TestApp } from "../support/app.ts";
import { type Answer, Browser } from "../support/browser.ts";

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

export const native = { client: "CLIENT_KIND_NATIVE" } as const;
export const browser = { client: "CLIENT_KIND_BROWSER" } as const;
export const bearer = (token: string): Sent => ({ authorization: `Bearer ${token}` });

/** Somebody who knows the contract by its names alone: JSON that is posted, with the cookies that were set before. */
export class Caller extends Browser {
  constructor(app: Pick<TestApp, "publicUrl" | "localUrl">) {
    super(app.publicUrl, app.localUrl);
  }

  get cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  }

  create(kind: Kind, fields: object = native, sent: Sent = {}): Promise<Answer> {
    return this.post(`/ostiary.flow.v1.${kind}Service/Create${kind}Flow`, fields, sent);
  }

  submit(kind: Kind, { id, csrfToken }: HeldFlow, fields: object, sent: Sent = {}): Promise<Answer> {
    const message = { flowId: id, ...(csrfToken && { csrfToken }), ...fields };
    return this.post(`/ostiary.flow.v1.${kind}Service/Submit${kind}Flow`, message, sent);
  }

  /** The same by the form, for any kind of flow. */
  press({ id, csrfToken }: HeldFlow, step: string, values: object = {}, sent: Sent = {}): Promise<Answer> {
    const message = { flowId: id, ...(csrfToken && { csrfToken }), step, values };
    return this.post("/ostiary.flow.v1.FlowService/SubmitForm", message, sent);
  }

  get({ id }: HeldFlow, sent: Sent = {}): Promise<Answer> {
    return this.post("/ostiary.flow.v1.FlowService/GetFlow", { flowId: id }, sent);
  }

  session(method: string, message: object = {}, sent: Sent = {}): Promise<Answer> {
    return this.post(`/ostiary.session.v1.SessionService/${method}`, message, sent);
  }

  /** Begins a flow and takes its first step; gives what was answered, and the flow. */
  async walk(kind: Kind, fields: object, begin: object = native, sent: Sent = {}) {
    const { flow } = (await this.create(kind, begin, sent)).body;
    const answer = await this.submit(kind, flow, fields, sent);
    return { flow: { ...flow, ...answer.body.flow }, answer, outcome: outcomeOf(answer) };
  }
}

/** The reason of a refused call, or the name of the outcome; of a rejection its reason. */
export function outcomeOf({ body, reason }: Answer): string {
  if (reason !== undefined) return reason;
  const name = Object.keys(body).find((field) => field !== "flow" && field !== "replaced") ?? "shown";
  return name === "rejected" ? body.rejected.reason : name;
}
