import { domainError } from "../errors.ts";
import { newEvent } from "../event/event.ts";
import type { CompiledSchema } from "../identity/compiled-schema.ts";
import type { DerivedTraits, Identity } from "../identity/identity.ts";
import type { IdentitySchemas } from "../identity/schemas.ts";
import { type IdentityId, newId } from "../ids.ts";
import type { JsonObject } from "../json.ts";
import * as messages from "../message/message.ts";
import type {
  RegistrationMethod,
  RegistrationProved,
  StepRejected,
  SubmittedStep,
} from "../method/method.ts";
import type { Clock, Tokens } from "../ports.ts";
import { newSession } from "../session/sessions.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { Throttle, ThrottleTicket } from "../throttle/throttle.ts";
import type { AddressProofs, ProofRequest } from "./address-proofs.ts";
import type {
  CreatedFlow,
  Flow,
  FlowCaller,
  FlowClient,
  FlowCompleted,
  FlowOutcome,
  FlowRecord,
  ProofTarget,
} from "./flow.ts";
import type { FlowKeeper, FlowShape, FlowSubmission } from "./flow-keeper.ts";
import type { Form, Node } from "./form.ts";
import { identifiersTaken, traitsInvalid } from "./settings-form.ts";
import type { FlowStore, HeldRevision } from "./store.ts";
import { traitNodes } from "./trait-nodes.ts";
import type { VerificationFlows } from "./verification-flows.ts";

/** What was submitted to a registration flow. */
export interface RegistrationSubmission extends FlowSubmission {
  readonly traits: JsonObject;
  readonly step: SubmittedStep;
}

/** What a registration flow begins with. */
export interface RegistrationStart {
  readonly client: FlowClient;
  readonly returnTo: string;
  readonly schemaId: string;
}

interface RegistrationFlowsDependencies {
  readonly keeper: FlowKeeper;
  readonly flows: FlowStore;
  readonly schemas: IdentitySchemas;
  readonly methods: readonly RegistrationMethod[];
  readonly proofs: AddressProofs;
  readonly verifications: VerificationFlows;
  readonly throttle: Throttle;
  readonly tokens: Tokens;
  readonly clock: Clock;
}

/** An account that is ready to be made. */
interface NewAccount {
  readonly schema: CompiledSchema;
  readonly traits: JsonObject;
  readonly derived: DerivedTraits;
  readonly proved: Omit<RegistrationProved, "kind">;
  readonly held: readonly HeldRevision[];
  /** Proven on the way. */
  readonly verified: ProofTarget | undefined;
  readonly ticket: ThrottleTicket;
}

/** Making an account. */
export class RegistrationFlows {
  readonly #keeper: FlowKeeper;
  readonly #flows: FlowStore;
  readonly #schemas: IdentitySchemas;
  readonly #methods: ReadonlyMap<string, RegistrationMethod>;
  readonly #proofs: AddressProofs;
  readonly #verifications: VerificationFlows;
  readonly #throttle: Throttle;
  readonly #tokens: Tokens;
  readonly #clock: Clock;
  readonly #shape: FlowShape;

  constructor(dependencies: RegistrationFlowsDependencies) {
    this.#keeper = dependencies.keeper;
    this.#flows = dependencies.flows;
    this.#schemas = dependencies.schemas;
    this.#methods = new Map(dependencies.methods.map((method) => [method.kind, method]));
    this.#proofs = dependencies.proofs;
    this.#verifications = dependencies.verifications;
    this.#throttle = dependencies.throttle;
    this.#tokens = dependencies.tokens;
    this.#clock = dependencies.clock;
    this.#shape = {
      kind: "registration",
      lifetimeMs: (tenant) => tenant.settings.registration.lifetimeMs,
      step: (tenant, flow) =>
        this.#proofs.stepOf(tenant, flow) ?? {
          kind: "choose_method",
          methods: [...this.#methods.values()]
            .map((method) => method.kind)
            .concat(this.#proofs.offered(tenant, "registration")),
        },
      form: (tenant, flow) => this.#form(tenant, flow, flow.data.traits ?? {}),
    };
  }

  /** Begins a registration. Throws REGISTRATION_DISABLED, and SCHEMA_NOT_FOUND for a schema that is not on offer. */
  async create(caller: FlowCaller, start: RegistrationStart): Promise<CreatedFlow> {
    const { settings } = caller.tenant;
    assertEnabled(caller.tenant);
    const { client, returnTo } = start;
    const schemaId = start.schemaId === "" ? settings.defaultSchemaId : start.schemaId;
    // A schema that is not for self-service is answered as one that does not exist.
    if (!settings.selfServiceSchemaIds.has(schemaId)) {
      throw domainError("SCHEMA_NOT_FOUND", { schema_id: schemaId });
    }
    return this.#keeper.create(caller, this.#shape, { client, returnTo, data: { schemaId } });
  }

  /** The flow as it stands. Throws FLOW_EXPIRED with the id of a fresh one, REGISTRATION_DISABLED. */
  async get(caller: FlowCaller, flowId: string): Promise<Flow> {
    const held = this.#keeper.hold(caller, await this.#keeper.find(caller.tenant, "registration", flowId));
    if (held.kind === "expired") assertEnabled(caller.tenant);
    return (await this.#keeper.get(caller, this.#shape, flowId)).flow;
  }

  /** Tries what was submitted. Two round trips where a password succeeds, beside the throttle's one. Throws RATE_LIMITED. */
  async submit(caller: FlowCaller, submission: RegistrationSubmission): Promise<FlowOutcome<FlowCompleted>> {
    const { tenant } = caller;
    const { step, flowId } = submission;
    const found = await this.#keeper.find(tenant, "registration", flowId);
    // Also for flows that began while registration was open; but not before the caller has shown that it is theirs.
    this.#keeper.hold(caller, found);
    assertEnabled(tenant);
    const entered = await this.#keeper.enter(caller, this.#shape, found, submission);
    if (entered.kind === "expired") return entered;
    const { record } = entered;
    if (record.data.pending !== undefined) return this.#submitProof(caller, record, submission);

    const method = this.#methods.get(step.name);
    // Whoever proves the address on the way to a password gets a code.
    const kind = method === undefined ? this.#proofs.requested(tenant, "registration", step) : "code";
    const { traits } = submission;
    const reject = (rejected: StepRejected) => {
      const { nodes } = this.#form(tenant, record, traits);
      return this.#keeper.rejected(caller, this.#shape, flowId, record, rejected, nodes);
    };
    const schema = this.#schemaOf(tenant, record);
    const validated = schema.validate(traits);
    if (!validated.valid) return reject(traitsInvalid(validated.violations));
    const { derived } = validated;
    const identifiers = derived.identifiers.map((identifier) => identifier.value);
    if (identifiers.length === 0) return reject(noIdentifier());

    // Counted before a password is hashed, and before an answer could tell that an identifier is taken (ASVS V2.4.1).
    const ticket = await this.#throttle.take(tenant, caller.origin, "registration", {
      address: caller.limitedAddress,
      flow: record.digest,
      device: deviceOf(caller, record),
    });
    let proved: Omit<RegistrationProved, "kind">;
    if (method !== undefined) {
      const result = await method.proveRegistration(tenant, step, { traits, identifiers });
      if (result.kind === "rejected") return reject(result);
      proved = { password: result.password, authentication: result.authentication };
      if (tenant.settings.registration.addressProof === "none") {
        const held = [{ digest: record.digest, revision: record.revision }];
        const account = { schema, traits, derived, proved, held, verified: undefined, ticket };
        const completed = await this.#complete(caller, record, account);
        return completed === "identifier_taken" ? reject(await this.#taken(tenant, derived)) : completed;
      }
    } else {
      proved = { password: undefined, authentication: { kind, assuranceLevel: "aal1" } };
    }

    const target = addressOf(derived);
    if (target === undefined) return reject(noIdentifier());
    const taken = await this.#takenBeside(tenant, derived, target);
    if (taken !== undefined) return reject(taken);
    const { schemaId } = record.data;
    const data = { ...(schemaId && { schemaId }), traits, account: proved };
    const request = await this.#proofRequest(tenant, target, { kind, data });
    if (request.target === undefined && !tenant.settings.enumerationSafe) {
      return reject(identifiersTaken(derived, new Set([target.value])));
    }
    const next = await this.#proofs.request(caller, record, request);
    return this.#keeper.nextStep(caller, this.#shape, flowId, next);
  }

  /** Goes on where a code or link is awaited; what was filled in before stands. */
  async #submitProof(
    caller: FlowCaller,
    record: FlowRecord,
    { step, flowId, traits: sent }: RegistrationSubmission,
  ): Promise<FlowOutcome<FlowCompleted>> {
    const { tenant } = caller;
    const reject = (rejected: StepRejected) =>
      this.#keeper.rejected(caller, this.#shape, flowId, record, rejected);
    const { traits = {}, account } = record.data;
    // Security rule: what was checked is what is stored. Traits that come with the code are not another chance.
    if (Object.keys(sent).length > 0 && !isSameJson(sent, traits)) return reject(traitsChanged());
    const result = await this.#proofs.submit(caller, record, step, deviceOf(caller, record));
    if (result.kind === "moved") return this.#keeper.nextStep(caller, this.#shape, flowId, result.record);
    if (result.kind === "rejected") return reject(result);

    const schema = this.#schemaOf(tenant, record);
    const validated = schema.validate(traits);
    // The schema may have changed since.
    if (!validated.valid) return reject(traitsInvalid(validated.violations));
    const { password, authentication = result.authentication } = account ?? {};
    const completed = await this.#complete(caller, record, {
      schema,
      traits,
      derived: validated.derived,
      proved: { password, authentication },
      held: result.held,
      verified: result.target,
      ticket: result.ticket,
    });
    // Whoever gets here has shown that the address is theirs, so they may know.
    return completed === "identifier_taken"
      ? reject(await this.#taken(tenant, validated.derived))
      : completed;
  }

  async #complete(
    caller: FlowCaller,
    flow: FlowRecord,
    account: NewAccount,
  ): Promise<FlowOutcome<FlowCompleted> | "identifier_taken"> {
    const { tenant, origin } = caller;
    const at = this.#clock.now();
    const identity = newIdentity(account, at);
    const { session, token } = newSession(this.#tokens, tenant, identity.id, {
      client: flow.client,
      methods: [{ ...account.proved.authentication, completedAt: at }],
      origin,
      at,
    });
    const actor = { ...origin, actor: { kind: "identity", identityId: identity.id } } as const;
    const about = { identityId: identity.id, sessionId: session.id };
    const method = account.proved.authentication.kind;
    const { completion: throttle, device } = this.#throttle.succeeded(tenant, account.ticket, flow.client);
    const result = await this.#flows.completeRegistration(
      { tenantId: tenant.id },
      {
        held: account.held,
        identity,
        password: account.proved.password,
        session,
        at,
        events: [
          newEvent("registration.succeeded", at, actor, { ...about, data: { method } }),
          newEvent("identity.created", at, actor, { identityId: identity.id }),
          ...(account.proved.password === undefined
            ? []
            : [newEvent("credential.set", at, actor, { identityId: identity.id, data: passwordSet })]),
          newEvent("session.created", at, actor, about),
        ],
        throttle,
      },
    );
    if (result === "flow_taken") throw await this.#keeper.taken(tenant, flow);
    if (result === "identifier_taken") return result;
    const verification = await this.#verifications.afterRegistration(caller, flow, identity);
    const { client, returnTo } = flow;
    const completed = { session, token, client, identity, returnTo, verification, device };
    return { kind: "completed", completed };
  }

  /**
   * Security rule: a taken address is answered exactly like a free one, and its owner is told (ASVS V6.3.8). Only a proof
   * of the address leads further, and none is sent for a taken one.
   */
  async #proofRequest(
    tenant: Tenant,
    target: ProofTarget,
    request: Pick<ProofRequest, "kind" | "data">,
  ): Promise<ProofRequest> {
    const taken = await this.#flows.takenIdentifiers({ tenantId: tenant.id }, [target.value]);
    if (taken.length === 0) return { ...request, sentTo: target.value, target };
    const instead = { template: "registration_taken", data: {}, recipient: target } as const;
    return { ...request, sentTo: target.value, target: undefined, instead };
  }

  /** What is wrong with identifiers beside the address: a user name cannot be kept secret from who wants to have it. */
  async #takenBeside(
    tenant: Tenant,
    derived: DerivedTraits,
    address: ProofTarget,
  ): Promise<StepRejected | undefined> {
    const others = derived.identifiers.filter(({ value }) => value !== address.value);
    if (others.length === 0) return undefined;
    const taken = await this.#flows.takenIdentifiers(
      { tenantId: tenant.id },
      others.map(({ value }) => value),
    );
    return taken.length === 0 ? undefined : identifiersTaken(derived, new Set(taken));
  }

  async #taken(tenant: Tenant, derived: DerivedTraits): Promise<StepRejected> {
    const values = derived.identifiers.map(({ value }) => value);
    return identifiersTaken(
      derived,
      new Set(await this.#flows.takenIdentifiers({ tenantId: tenant.id }, values)),
    );
  }

  #form(tenant: Tenant, flow: FlowRecord, traits: JsonObject): Form {
    const awaited = this.#proofs.nodesOf(tenant, flow);
    const nodes: readonly Node[] = awaited ?? [
      ...traitNodes(this.#schemaOf(tenant, flow).fields, traits),
      ...[...this.#methods.values()].flatMap((method) => method.registrationNodes(tenant)),
      ...this.#proofs.requestNodes(tenant, "registration"),
    ];
    return { nodes, messages: this.#proofs.messagesOf(flow) };
  }

  #schemaOf(tenant: Tenant, { data }: FlowRecord): CompiledSchema {
    return this.#schemas.current({ tenantId: tenant.id }, data.schemaId ?? "");
  }
}

/** Only a login can be told a device by its token. */
function deviceOf(caller: FlowCaller, { client }: FlowRecord): string | undefined {
  return client === "browser" ? caller.deviceCookie : undefined;
}

const passwordSet = { kind: "password", imported: false } as const;

/** The address that is proven: the first one that the account signs in with, else the first that can be verified. */
function addressOf(derived: DerivedTraits): ProofTarget | undefined {
  const isAddress = ({ kind }: { kind: string }) => kind === "email" || kind === "phone";
  const first = derived.identifiers.find(isAddress) ?? derived.verifiableAddresses[0];
  return first === undefined
    ? undefined
    : { kind: first.kind === "phone" ? "phone" : "email", value: first.value };
}

function noIdentifier(): StepRejected {
  const problems = { fields: [], form: [messages.identifierMissing()] };
  return { kind: "rejected", reason: "TRAITS_INVALID", problems };
}

function traitsChanged(): StepRejected {
  const problems = { fields: [], form: [messages.traitsMismatch()] };
  return { kind: "rejected", reason: "TRAITS_INVALID", problems };
}

/** Whether two values are the same JSON, whatever the order of their keys. */
function isSameJson(one: unknown, other: unknown): boolean {
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null)
    return one === other;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const entries = Object.entries(one);
  return (
    entries.length === Object.keys(other).length &&
    entries.every(([key, value]) => Object.hasOwn(other, key) && isSameJson(value, Reflect.get(other, key)))
  );
}

function newIdentity({ schema, traits, derived, verified }: NewAccount, at: Date): Identity {
  const isVerified = (address: { kind: string; value: string }) =>
    address.kind === verified?.kind && address.value === verified.value;
  return {
    id: newId<IdentityId>(at),
    createdAt: at,
    updatedAt: at,
    revision: 1,
    externalId: undefined,
    schemaId: schema.id,
    schemaVersion: schema.version,
    state: "active",
    stateChangedAt: at,
    traits,
    publicMetadata: {},
    adminMetadata: {},
    identifiers: derived.identifiers,
    verifiableAddresses: derived.verifiableAddresses.map((address) => ({
      ...address,
      verifiedAt: isVerified(address) ? at : undefined,
    })),
    recoveryAddresses: derived.recoveryAddresses,
    displayName: derived.displayName,
    lastLoginAt: at,
  };
}

function assertEnabled(tenant: Tenant): void {
  if (!tenant.settings.registration.enabled) throw domainError("REGISTRATION_DISABLED", {});
}
