import { domainError, type ErrorReason } from "../errors.ts";
import { newEvent } from "../event/event.ts";
import type { CompiledSchema } from "../identity/compiled-schema.ts";
import type { DerivedTraits, Identity } from "../identity/identity.ts";
import type { IdentitySchemas } from "../identity/schemas.ts";
import { type IdentityId, newId } from "../ids.ts";
import type { JsonObject } from "../json.ts";
import * as messages from "../message/message.ts";
import type { RegistrationMethod, RegistrationProved, SubmittedStep } from "../method/method.ts";
import type { Clock, Tokens } from "../ports.ts";
import { newSession } from "../session/sessions.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { Throttle, ThrottleTicket } from "../throttle/throttle.ts";
import type {
  CreatedFlow,
  Flow,
  FlowCaller,
  FlowClient,
  FlowCompleted,
  FlowOutcome,
  FlowRecord,
} from "./flow.ts";
import type { FlowKeeper, FlowShape } from "./flow-keeper.ts";
import { type FormProblems, withProblems } from "./form.ts";
import type { FlowStore } from "./store.ts";
import { traitNodes, traitProblems } from "./trait-nodes.ts";

/** What was submitted to a registration flow. */
export interface RegistrationSubmission {
  readonly flowId: string;
  readonly csrfToken: string;
  readonly traits: JsonObject;
  readonly step: SubmittedStep;
}

interface RegistrationFlowsDependencies {
  readonly keeper: FlowKeeper;
  readonly flows: FlowStore;
  readonly schemas: IdentitySchemas;
  readonly methods: readonly RegistrationMethod[];
  readonly throttle: Throttle;
  readonly tokens: Tokens;
  readonly clock: Clock;
}

/** Making an account. */
export class RegistrationFlows {
  readonly #keeper: FlowKeeper;
  readonly #flows: FlowStore;
  readonly #schemas: IdentitySchemas;
  readonly #methods: ReadonlyMap<string, RegistrationMethod>;
  readonly #throttle: Throttle;
  readonly #tokens: Tokens;
  readonly #clock: Clock;
  readonly #shape: FlowShape;

  constructor(dependencies: RegistrationFlowsDependencies) {
    this.#keeper = dependencies.keeper;
    this.#flows = dependencies.flows;
    this.#schemas = dependencies.schemas;
    this.#methods = new Map(dependencies.methods.map((method) => [method.kind, method]));
    this.#throttle = dependencies.throttle;
    this.#tokens = dependencies.tokens;
    this.#clock = dependencies.clock;
    this.#shape = registrationShape(dependencies.methods, (tenant, data) => this.#schemaOf(tenant, data));
  }

  /** Begins a registration. Throws REGISTRATION_DISABLED, and SCHEMA_NOT_FOUND for a schema that is not on offer. */
  async create(
    caller: FlowCaller,
    start: { client: FlowClient; returnTo: string; schemaId: string },
  ): Promise<CreatedFlow> {
    const { settings } = caller.tenant;
    assertEnabled(caller.tenant);
    const schemaId = start.schemaId === "" ? settings.defaultSchemaId : start.schemaId;
    // A schema that is not for self-service is answered as one that does not exist.
    if (!settings.selfServiceSchemaIds.has(schemaId)) {
      throw domainError("SCHEMA_NOT_FOUND", { schema_id: schemaId });
    }
    const { client, returnTo } = start;
    return this.#keeper.create(caller, this.#shape, { client, returnTo, data: { schema_id: schemaId } });
  }

  /** The flow as it stands. Throws FLOW_EXPIRED with the id of a fresh one. */
  async get(caller: FlowCaller, flowId: string): Promise<Flow> {
    const held = this.#keeper.hold(caller, await this.#find(caller.tenant, flowId));
    if (held.kind === "expired") {
      assertEnabled(caller.tenant);
      const { flow } = await this.#keeper.replace(caller, this.#shape, held.record);
      throw domainError("FLOW_EXPIRED", { replacement_flow_id: flow.id.reveal() });
    }
    return this.#keeper.presentTo(caller, this.#shape, flowId, held.record);
  }

  /** Tries what was submitted. Two round trips when it succeeds, beside the throttle's one. Throws RATE_LIMITED. */
  async submit(caller: FlowCaller, submission: RegistrationSubmission): Promise<FlowOutcome<FlowCompleted>> {
    const { tenant } = caller;
    const method = this.#methods.get(submission.step.method);
    if (method === undefined) throw new Error(`no registration method ${submission.step.method}`);
    const held = this.#keeper.hold(caller, await this.#find(tenant, submission.flowId));
    this.#keeper.assertFormToken(caller, held.record, submission.flowId, submission.csrfToken);
    if (held.kind === "completed") throw domainError("FLOW_COMPLETED", {});
    // Also for flows that began while registration was open.
    assertEnabled(tenant);
    if (held.kind === "expired") {
      return { kind: "expired", replacement: await this.#keeper.replace(caller, this.#shape, held.record) };
    }
    const reject = (reason: ErrorReason, problems: FormProblems) =>
      this.#rejected(caller, submission, held.record, reason, problems);

    const schema = this.#schemaOf(tenant, held.record.data);
    const validated = schema.validate(submission.traits);
    if (!validated.valid) return reject("TRAITS_INVALID", traitProblems(validated.violations));
    const { derived } = validated;
    if (derived.identifiers.length === 0) {
      return reject("TRAITS_INVALID", { fields: [], form: [messages.identifierMissing()] });
    }
    const identifiers = derived.identifiers.map((identifier) => identifier.value);
    const account = { traits: submission.traits, identifiers };
    // Counted before a password is hashed, and before an answer could tell that an identifier is taken (ASVS V2.4.1).
    const ticket = await this.#throttle.take(tenant, caller.origin, "registration", {
      address: caller.limitedAddress,
      flow: held.record.digest,
      device: held.record.client === "browser" ? caller.deviceCookie : undefined,
    });
    const proof = await method.proveRegistration(tenant, submission.step, account);
    if (proof.kind === "rejected") return reject(proof.reason, proof.problems);

    const completed = await this.#complete(
      caller,
      held.record,
      ticket,
      schema,
      submission.traits,
      derived,
      proof,
    );
    if (completed !== "identifier_taken") return { kind: "completed", completed };
    const taken = new Set(await this.#flows.takenIdentifiers({ tenantId: tenant.id }, identifiers));
    return reject("IDENTIFIER_TAKEN", {
      fields: derived.identifiers
        .filter((identifier) => taken.has(identifier.value))
        .map((identifier) => ({
          // The path is escaped as the names of nodes are.
          name: `traits.${identifier.path}`,
          message: messages.duplicateIdentifier(),
        })),
      // The other account may be gone again by now; the form must say something all the same.
      form: taken.size === 0 ? [messages.duplicateIdentifier()] : [],
    });
  }

  async #complete(
    caller: FlowCaller,
    flow: FlowRecord,
    ticket: ThrottleTicket,
    schema: CompiledSchema,
    traits: JsonObject,
    derived: DerivedTraits,
    proof: RegistrationProved,
  ): Promise<FlowCompleted | "identifier_taken"> {
    const { tenant, origin } = caller;
    const at = this.#clock.now();
    const identity = newIdentity(schema, traits, derived, at);
    const { session, token } = newSession(this.#tokens, tenant, identity.id, {
      client: flow.client,
      method: { ...proof.authentication, completedAt: at },
      origin,
      at,
    });
    const actor = { ...origin, actor: { kind: "identity", identityId: identity.id } } as const;
    const about = { identityId: identity.id, sessionId: session.id };
    const { completion: throttle, device } = this.#throttle.succeeded(tenant, ticket, flow.client);
    const result = await this.#flows.completeRegistration(
      { tenantId: tenant.id },
      {
        flowDigest: flow.digest,
        identity,
        password: proof.password,
        session,
        at,
        events: [
          newEvent("registration.succeeded", at, actor, about),
          newEvent("identity.created", at, actor, { identityId: identity.id }),
          newEvent("credential.set", at, actor, {
            identityId: identity.id,
            data: { kind: proof.authentication.kind, imported: false },
          }),
          newEvent("session.created", at, actor, about),
        ],
        throttle,
      },
    );
    if (result === "flow_taken") throw domainError("FLOW_COMPLETED", {});
    if (result === "identifier_taken") return result;
    return { session, token, client: flow.client, identity, returnTo: flow.returnTo, device };
  }

  #rejected(
    caller: FlowCaller,
    submission: RegistrationSubmission,
    record: FlowRecord,
    reason: ErrorReason,
    problems: FormProblems,
  ): FlowOutcome<never> {
    const schema = this.#schemaOf(caller.tenant, record.data);
    const form = withProblems(
      formNodes(caller.tenant, schema, this.#methods.values(), submission.traits),
      problems,
    );
    return {
      kind: "rejected",
      reason,
      flow: this.#keeper.presentTo(caller, this.#shape, submission.flowId, record, form),
    };
  }

  #find(tenant: Tenant, flowId: string): Promise<FlowRecord | undefined> {
    const digest = this.#keeper.digestOf(tenant, flowId);
    return this.#flows.find({ tenantId: tenant.id }, "registration", digest);
  }

  #schemaOf(tenant: Tenant, data: JsonObject): CompiledSchema {
    const schemaId = data.schema_id;
    return this.#schemas.current({ tenantId: tenant.id }, typeof schemaId === "string" ? schemaId : "");
  }
}

function registrationShape(
  methods: readonly RegistrationMethod[],
  schemaOf: (tenant: Tenant, data: JsonObject) => CompiledSchema,
): FlowShape {
  return {
    kind: "registration",
    lifetimeMs: (tenant) => tenant.settings.registration.lifetimeMs,
    methods: () => methods.map((method) => method.kind),
    nodes: (tenant, data) => formNodes(tenant, schemaOf(tenant, data), methods, {}),
  };
}

function formNodes(
  tenant: Tenant,
  schema: CompiledSchema,
  methods: Iterable<RegistrationMethod>,
  traits: JsonObject,
) {
  return [
    ...traitNodes(schema.fields, traits),
    ...[...methods].flatMap((method) => method.registrationNodes(tenant)),
  ];
}

function newIdentity(schema: CompiledSchema, traits: JsonObject, derived: DerivedTraits, at: Date): Identity {
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
      verifiedAt: undefined,
    })),
    recoveryAddresses: derived.recoveryAddresses,
    displayName: derived.displayName,
    lastLoginAt: at,
  };
}

function assertEnabled(tenant: Tenant): void {
  if (!tenant.settings.registration.enabled) throw domainError("REGISTRATION_DISABLED", {});
}
