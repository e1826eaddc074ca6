import type { AnyFlows } from "../domain/flow/any-flows.ts";
import type { Flow, FlowCaller, FlowRecord, ReadFlow } from "../domain/flow/shared/flow.ts";
import { withAnchor } from "../domain/flow/shared/flow-engine.ts";
import { sealOutcome } from "../domain/flow/shared/kept-outcome.ts";
import type { FlowStore } from "../domain/flow/shared/store.ts";
import type { Clock, IssuedToken, Sealer, Tokens } from "../domain/ports.ts";
import type { Session } from "../domain/session/session.ts";
import type { Tenant } from "../domain/tenant/tenant.ts";
import type { PreviewState, SampleFlow } from "./preview-state.ts";
import { refusing } from "./refusing.ts";
import type { SampleSchema } from "./sample-schemas.ts";

/** How long a sample lasts, as a page is told. It is made anew at each call, so that none ever expires. */
const lifetimeMs = 60 * 60 * 1000;

interface SampleFlowsDependencies {
  readonly tokens: Tokens;
  readonly sealer: Sealer;
  readonly clock: Clock;
  /** The tenant with each sample schema. `own`: with the schemas of the configuration; undefined without any. */
  readonly tenants: Readonly<Record<SampleSchema, Tenant>> & { readonly own?: Tenant | undefined };
  /** The session of the owner of a sample that names none. */
  readonly session: () => Session;
}

/** Draws samples as the server draws flows: as a record that it has read, by the view of its kind. */
export class SampleFlows {
  readonly #deps: SampleFlowsDependencies;
  readonly #browser: IssuedToken;
  readonly #ids = new Map<string, IssuedToken>();
  /** The samples that are being drawn, by the digests of their ids. */
  readonly #read = new Map<string, ReadFlow>();

  constructor(deps: SampleFlowsDependencies) {
    this.#deps = deps;
    this.#browser = deps.tokens.issue("browser", deps.tenants.person.name);
  }

  /** The store that the flows read samples from. */
  readonly store: FlowStore = refusing<FlowStore>("flow store", {
    findWithIdentity: async (_scope, _kind, digest) => {
      const found = this.#read.get(textOf(digest));
      return found ?? { flow: undefined, identity: undefined, credentials: [] };
    },
  });

  /** The id of the flow of a state; the same each time. */
  idOf({ name }: PreviewState): string {
    return this.#tokenOf(name).token.reveal();
  }

  /** The name of the state whose flow has this id; undefined if there is none. */
  nameOf(flowId: string): string | undefined {
    return [...this.#ids].find(([, { token }]) => token.reveal() === flowId)?.[0];
  }

  /** The tenant of a sample. */
  tenantOf({ schema = "person", settings = (usual) => usual }: SampleFlow): Tenant {
    const tenant = this.#deps.tenants[schema];
    if (tenant === undefined) throw new Error("no schema is configured");
    return { ...tenant, settings: settings(tenant.settings) };
  }

  /** The flow of a state as its page gets it. */
  async draw(flows: AnyFlows, { name }: PreviewState, sample: SampleFlow): Promise<Flow> {
    const { token, digest } = this.#tokenOf(name);
    const { identity, credentials = [] } = sample;
    this.#read.set(textOf(digest), { flow: this.#recordOf(sample, digest), identity, credentials });
    const found = await flows.get(this.#callerOf(sample), token.reveal());
    if (found.kind !== "found") throw new Error(`the sample ${name} has expired`);
    return sample.goesOnAt === undefined ? found.flow : withAnchor(found.flow, sample.goesOnAt);
  }

  #tokenOf(name: string): IssuedToken {
    const { tokens, tenants } = this.#deps;
    const known = this.#ids.get(name) ?? tokens.issue("flow", tenants.person.name);
    this.#ids.set(name, known);
    return known;
  }

  #recordOf(sample: SampleFlow, digest: Uint8Array): FlowRecord {
    const { kind, state, purpose, oauth2, identity, rejected, succeeded } = sample;
    const now = this.#deps.clock.now();
    const record: FlowRecord = {
      ...{ digest, kind, client: "browser", state: "active", createdAt: now, revision: 0 },
      expiresAt: new Date(now.getTime() + lifetimeMs),
      returnTo: undefined,
      browserDigest: this.#browser.digest,
      identityId: identity?.id,
      challenge: undefined,
      data: { purpose, state, oauth2 },
    };
    const kept =
      rejected === undefined
        ? succeeded && { typed: {}, problems: { fields: [], form: succeeded }, isBeside: true }
        : { typed: rejected.typed ?? {}, problems: rejected.problems };
    return kept === undefined ? record : { ...record, kept: sealOutcome(this.#deps.sealer, record, kept) };
  }

  #callerOf(sample: SampleFlow): FlowCaller {
    const { identity, session = this.#deps.session(), lastProvider } = sample;
    return {
      tenant: this.tenantOf(sample),
      origin: { actor: { kind: "server" }, requestId: "", ipAddress: undefined, userAgent: undefined },
      languages: undefined,
      session: async () => {
        if (identity === undefined) throw new Error("the sample has no owner");
        return { session: { ...session, identityId: identity.id }, identity };
      },
      browserSessions: async () => [],
      signal: new AbortController().signal,
      limitedClientIp: undefined,
      shownSession: () => undefined,
      shownDevice: () => undefined,
      browserToken: this.#browser.token.reveal(),
      lastProvider,
      assertOriginAllowed: () => {},
      assertNotFromPage: () => {},
    };
  }
}

function textOf(digest: Uint8Array): string {
  return Buffer.from(digest).toString("base64url");
}
