import { DomainError, domainError, errorTexts } from "../domain/errors.ts";
import type { AnyFlows } from "../domain/flow/any-flows.ts";
import type { Flow } from "../domain/flow/shared/flow.ts";
import type { TenantProfile, TenantProfiles } from "../domain/flow/tenant-profiles.ts";
import type { FlowKind } from "../domain/kinds.ts";
import type { Tenant } from "../domain/tenant/tenant.ts";
import type { PreviewState, SampleFlow, SampleSessions } from "./preview-state.ts";
import type { SampleFlows } from "./sample-flows.ts";
import type { Samples } from "./samples.ts";

/** The steps of the states of each kind of flow, as far as they say where they lead. */
type Tables = Readonly<
  Record<
    FlowKind,
    Readonly<
      Record<string, { readonly steps: Readonly<Record<string, { readonly leadsTo: readonly string[] }>> }>
    >
  >
>;

interface PreviewDependencies {
  readonly states: readonly PreviewState[];
  readonly samples: Samples;
  readonly sampleFlows: SampleFlows;
  readonly flows: AnyFlows;
  readonly tables: Tables;
  readonly profiles: TenantProfiles;
  /** Where a state belongs to no sample of a flow. */
  readonly tenant: Tenant;
}

/** What the pages are answered in each state. */
export class Preview {
  readonly #deps: PreviewDependencies;
  readonly #byName: ReadonlyMap<string, PreviewState>;

  constructor(deps: PreviewDependencies) {
    this.#deps = deps;
    this.#byName = new Map(deps.states.map((state) => [state.name, state]));
  }

  /** Every state, in the order to list them. */
  get states(): readonly PreviewState[] {
    return this.#deps.states;
  }

  /** Undefined if there is none of this name. */
  find(name: string | undefined): PreviewState | undefined {
    return name === undefined ? undefined : this.#byName.get(name);
  }

  /** The address of the page of a state. */
  addressOf(state: PreviewState): string {
    const flow = state.shows.kind === "flow" ? `#flow=${this.#deps.sampleFlows.idOf(state)}` : "";
    return `/ui/${state.page}${flow}`;
  }

  /** The state whose flow has this id. Throws FLOW_NOT_FOUND. */
  stateOf(flowId: string): PreviewState {
    const state = this.find(this.#deps.sampleFlows.nameOf(flowId));
    if (state === undefined) throw domainError("FLOW_NOT_FOUND", {});
    return state;
  }

  /** The flow that a page of this kind begins with in a state: that of the state, else the first of its kind. */
  async begin(state: PreviewState | undefined, kind: FlowKind): Promise<Flow> {
    refuseOn(kind, state);
    const own = state?.shows.kind === "flow" && state.name.startsWith(`${kind}/`) ? state : undefined;
    const first = own ?? this.states.find(({ name }) => name.startsWith(`${kind}/`));
    if (first === undefined) throw domainError("FLOW_NOT_FOUND", {});
    return this.draw(first);
  }

  /** The flow of a state. */
  async draw(state: PreviewState): Promise<Flow> {
    const { sampleFlows, flows } = this.#deps;
    return sampleFlows.draw(flows, state, await sampleIn(state));
  }

  /**
   * The state that a step leads to: the first one that stands where the table of the flow says, itself where the step leads nowhere else.
   * Undefined: the flow is completed.
   */
  async after(state: PreviewState, step: string): Promise<PreviewState | undefined> {
    const sample = await sampleIn(state);
    const [target = sample.state.at] =
      this.#deps.tables[sample.kind][sample.state.at]?.steps[step]?.leadsTo ?? [];
    if (target === "completed") return undefined;
    if (target === sample.state.at) return state;
    for (const each of this.states) {
      if (each.shows.kind !== "flow" || !each.name.startsWith(`${sample.kind}/`)) continue;
      if ((await each.shows.flow()).state.at === target) return each;
    }
    return state;
  }

  /** The profile of the tenant, as it is set up in a state. */
  async profileIn(state: PreviewState | undefined): Promise<TenantProfile> {
    const { profiles, sampleFlows, tenant } = this.#deps;
    const sample = state?.shows.kind === "flow" ? await state.shows.flow() : undefined;
    return profiles.of(sample === undefined ? tenant : sampleFlows.tenantOf(sample));
  }

  /** The visitor's sessions in a state. Throws SESSION_CREDENTIAL_MISSING where nobody is signed in. */
  async sessionsIn(state: PreviewState | undefined): Promise<SampleSessions> {
    refuseOn("sessions", state);
    if (state?.shows.kind === "sessions") return state.shows.sessions();
    const sample = state?.shows.kind === "flow" ? await state.shows.flow() : undefined;
    const isSignedIn = sample?.kind === "settings" || (sample?.kind === "login" && isRefresh(sample.purpose));
    if (!isSignedIn || sample.identity === undefined) throw domainError("SESSION_CREDENTIAL_MISSING", {});
    const { identity } = sample;
    const { samples } = this.#deps;
    const sessions = { sessions: samples.sessions(3), hasMore: false, otherIdentityShown: false };
    return { identity, ...sessions, logins: samples.logins(7) };
  }
}

/** Throws the refusal of a state of this page. Where another page leads on from there, its calls work. */
export function refuseOn(page: FlowKind | "sessions", state: PreviewState | undefined): void {
  if (state?.shows.kind !== "refused" || state.page.split("?")[0] !== page) return;
  const { reason } = state.shows;
  const metadata = Object.fromEntries((errorTexts[reason].metadata ?? []).map((name) => [name, "sample"]));
  throw new DomainError(reason, metadata, { retryAfterMs: reason === "RATE_LIMITED" ? 90_000 : undefined });
}

/** Whether a login is for somebody who is signed in. */
function isRefresh(purpose: object | undefined): boolean {
  return purpose !== undefined && "kind" in purpose && purpose.kind === "refresh";
}

async function sampleIn({ name, shows }: PreviewState): Promise<SampleFlow> {
  if (shows.kind !== "flow") throw new Error(`the state ${name} shows no flow`);
  return shows.flow();
}
