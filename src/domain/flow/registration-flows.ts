import { domainError } from "../errors.ts";
import type { CompiledSchema } from "../identity/compiled-schema.ts";
import type { DerivedTraits } from "../identity/identity.ts";
import type { IdentitySchemas } from "../identity/schemas.ts";
import type { JsonObject } from "../json.ts";
import type {
  RegistrationMethod,
  RegistrationProved,
  StepRejected,
  SubmittedStep,
} from "../method/method.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { Throttle } from "../throttle/throttle.ts";
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
import type { NewAccounts } from "./new-accounts.ts";
import { addressOf, noIdentifier, registrationShape, traitsChanged } from "./registration-form.ts";
import { identifiersTaken, traitsInvalid } from "./settings-form.ts";
import type { FlowStore } from "./store.ts";

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
  readonly throttle: Throttle;
  readonly accounts: NewAccounts;
}

/** Making an account. */
export class RegistrationFlows {
  readonly #keeper: FlowKeeper;
  readonly #flows: FlowStore;
  readonly #schemas: IdentitySchemas;
  readonly #methods: ReadonlyMap<string, RegistrationMethod>;
  readonly #proofs: AddressProofs;
  readonly #throttle: Throttle;
  readonly #accounts: NewAccounts;
  readonly #shape: FlowShape;

  constructor(dependencies: RegistrationFlowsDependencies) {
    this.#keeper = dependencies.keeper;
    this.#flows = dependencies.flows;
    this.#schemas = dependencies.schemas;
    this.#methods = new Map(dependencies.methods.map((method) => [method.kind, method]));
    this.#proofs = dependencies.proofs;
    this.#throttle = dependencies.throttle;
    this.#accounts = dependencies.accounts;
    this.#shape = registrationShape(dependencies.methods, dependencies.proofs, (tenant, flow) =>
      this.#schemaOf(tenant, flow),
    );
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
      const { nodes } = this.#shape.form(tenant, { ...record, data: { ...record.data, traits } });
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
        const completed = await this.#accounts.complete(caller, record, account);
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
    const completed = await this.#accounts.complete(caller, record, {
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

  #schemaOf(tenant: Tenant, { data }: FlowRecord): CompiledSchema {
    return this.#schemas.current({ tenantId: tenant.id }, data.schemaId ?? "");
  }
}

/** Only a login can be told a device by its token. */
function deviceOf(caller: FlowCaller, { client }: FlowRecord): string | undefined {
  return client === "browser" ? caller.deviceCookie : undefined;
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

function assertEnabled(tenant: Tenant): void {
  if (!tenant.settings.registration.enabled) throw domainError("REGISTRATION_DISABLED", {});
}
