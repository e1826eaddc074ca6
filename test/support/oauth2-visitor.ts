import type { DescService, MessageInitShape } from "@bufbuild/protobuf";
import type { CallOptions, Client } from "@connectrpc/connect";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import {
  LoginService,
  type SubmitLoginFlowRequestSchema,
} from "../../gen/ostiary/flow/v1/login_service_pb.js";
import {
  RegistrationService,
  type SubmitRegistrationFlowRequestSchema,
} from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { goodPassword } from "./accounts.ts";
import type { Protocol, TestApp } from "./app.ts";

type LoginStep = MessageInitShape<typeof SubmitLoginFlowRequestSchema>["step"];
type RegistrationStep = MessageInitShape<typeof SubmitRegistrationFlowRequestSchema>["step"];

/** The step of a good password. */
export const withPassword = { case: "password", value: { password: goodPassword } } as const;

/** Somebody at the pages of the server in a browser, which keeps its cookies. */
export class OAuth2Visitor {
  readonly #app: TestApp;
  readonly #protocol: Protocol;
  readonly cookies = new Map<string, string>();

  constructor(app: TestApp, protocol: Protocol = "Connect JSON") {
    this.#app = app;
    this.#protocol = protocol;
  }

  client<Service extends DescService>(service: Service): Client<Service> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    return this.#app.client(service, { protocol: this.#protocol, headers: cookie === "" ? {} : { cookie } });
  }

  /** Keeps the cookies of an answer. */
  readonly #keeping: CallOptions = {
    onHeader: (headers) => {
      for (const header of headers.getSetCookie()) {
        const [pair = "", ...attributes] = header.split("; ");
        const [name = "", value = ""] = pair.split("=");
        if (value === "" || attributes.includes("Max-Age=0")) this.cookies.delete(name);
        else this.cookies.set(name, value);
      }
    },
  };

  /** Comes to the login page from the OAuth2 server. */
  login(loginChallenge: string) {
    // Ids sort by their time, which stands still otherwise.
    this.#app.clock.advance(1);
    const start = { client: ClientKind.BROWSER, loginChallenge };
    return this.client(LoginService).createLoginFlow(start, this.#keeping);
  }

  /** Comes to the registration page. */
  registration(loginChallenge: string) {
    const start = { client: ClientKind.BROWSER, loginChallenge };
    return this.client(RegistrationService).createRegistrationFlow(start, this.#keeping);
  }

  /** Opens a link that a login sent. */
  openLink(linkToken: string) {
    const start = { client: ClientKind.BROWSER, linkToken };
    return this.client(LoginService).createLoginFlow(start, this.#keeping);
  }

  /** Submits a login. */
  submit(flow: Flow | undefined, step: LoginStep, identifier = "", more: object = {}) {
    const { id: flowId = "", csrfToken = "" } = flow ?? {};
    const submission = { flowId, csrfToken, identifier, step, ...more };
    return this.client(LoginService).submitLoginFlow(submission, this.#keeping);
  }

  /** Submits a registration. */
  register(flow: Flow | undefined, email: string, step: RegistrationStep = withPassword) {
    const { id: flowId = "", csrfToken = "" } = flow ?? {};
    const submission = { flowId, csrfToken, traits: { email }, step };
    return this.client(RegistrationService).submitRegistrationFlow(submission, this.#keeping);
  }

  /** Loads the page of a flow again. */
  reload(flow: Flow | undefined) {
    return this.client(FlowService).getFlow({ flowId: flow?.id ?? "" }, this.#keeping);
  }

  logout(logoutChallenge = "") {
    return this.client(SessionService).logout({ logoutChallenge }, this.#keeping);
  }

  /** The session of the browser. */
  async session() {
    return (await this.client(SessionService).getCurrentSession({})).session;
  }

  /** Signs in without any OAuth2 server. */
  async signIn(email: string): Promise<void> {
    this.#app.clock.advance(1);
    const { flow } = await this.client(LoginService).createLoginFlow(
      { client: ClientKind.BROWSER },
      this.#keeping,
    );
    const { outcome } = await this.submit(flow, withPassword, email);
    if (outcome.case !== "completed") throw new Error(`the login was ${outcome.case}`);
  }
}
