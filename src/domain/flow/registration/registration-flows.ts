import { domainError } from "../../errors.ts";
import { type FilledForm, submissionOf } from "../../form/form-submission.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { FlowSubmission, SubmittedStep } from "../../form/submission.ts";
import { type OwnsAddress, ownsProven } from "../../identity/address-claims.ts";
import type { CompiledSchema } from "../../identity/compiled-schema.ts";
import { isSameJson } from "../../identity/merge-patch.ts";
import { checkChange, mergeTraits } from "../../identity/own-traits.ts";
import type { IdentitySchemas } from "../../identity/schemas.ts";
import type { Invitations } from "../../invitation/invitations.ts";
import type { JsonObject } from "../../json.ts";
import type { FlowClient } from "../../kinds.ts";
import type { ProofKind, RegistrationMethod } from "../../method/method.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { Throttle } from "../../throttle/throttle.ts";
import type { ReadFlow } from "../any-flows.ts";
import type { AddressProofs } from "../challenge/address-proofs.ts";
import { identifiersTaken, traitsInvalid } from "../settings/settings-form.ts";
import { advanceFlow } from "../shared/advance-flow.ts";
import type {
  CreatedFlow,
  FlowCaller,
  FlowCompleted,
  FlowData,
  FlowFound,
  FlowOutcome,
  FlowRecord,
} from "../shared/flow.ts";
import { dataWith } from "../shared/flow-answers.ts";
import type { FlowKeeper, FlowShape } from "../shared/flow-keeper.ts";
import type { FlowStore } from "../shared/store.ts";
import { assertOpen, invitationGone, isProven, provenByInvitation, registrationStart } from "./invited.ts";
import type { NewAccount, NewAccounts } from "./new-accounts.ts";
import {
  addressOf,
  awaitsProfile,
  givenTraits,
  hasOtherAddresses,
  noIdentifier,
  oneAddressForLink,
  registrationShape,
  traitsChanged,
} from "./registration-form.ts";
import { proofRequest, takenBeside, takenOf } from "./taken-identifiers.ts";

/** What was submitted to a registration flow. */
export interface RegistrationSubmission extends FlowSubmission {
  /** A merge patch of what the flow has already. */
  readonly traits: JsonObject;
  readonly step: SubmittedStep;
}

/** What a registration flow begins with. */
export interface RegistrationStart {
  readonly client: FlowClient;
  readonly returnTo: string;
  /** Empty: the default one. */
  readonly schemaId: string;
  /** Of a link that was opened; else empty. */
  readonly linkToken: string;
  /** Empty: none. */
  readonly invitationToken: string;
  readonly clientData?: FlowData["clientData"];
}

/** Traits that an account can be made of. */
interface Profile extends Pick<NewAccount, "schema" | "traits" | "derived"> {
  readonly kind: "valid";
}

interface RegistrationFlowsDependencies {
  readonly keeper: FlowKeeper;
  readonly flows: FlowStore;
  readonly schemas: IdentitySchemas;
  readonly methods: readonly RegistrationMethod[];
  readonly proofs: AddressProofs;
  readonly throttle: Throttle;
  readonly accounts: NewAccounts;
  readonly invitations: Pick<Invitations, "open">;
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
  readonly #invitations: Pick<Invitations, "open">;
  readonly #shape: FlowShape;

  constructor(dependencies: RegistrationFlowsDependencies) {
    this.#keeper = dependencies.keeper;
    this.#flows = dependencies.flows;
    this.#schemas = dependencies.schemas;
    this.#methods = new Map(dependencies.methods.map((method) => [method.kind, method]));
    this.#proofs = dependencies.proofs;
    this.#throttle = dependencies.throttle;
    this.#accounts = dependencies.accounts;
    this.#invitations = dependencies.invitations;
    this.#shape = registrationShape(dependencies.methods, dependencies.proofs, (tenant, flow) =>
      this.#schemaOf(tenant, flow),
    );
  }

  /**
   * Begins a registration, or goes on with one from a link that was opened. Throws REGISTRATION_DISABLED, LINK_INVALID,
   * INVITATION_REQUIRED, INVITATION_INVALID, and SCHEMA_NOT_FOUND for a schema that is not on offer. One round trip, with a
   * link or an invitation two.
   */
  async create(caller: FlowCaller, start: RegistrationStart): Promise<CreatedFlow> {
    const { tenant } = caller;
    const { client, returnTo, linkToken } = start;
    this.#keeper.assertClient(caller, client);
    if (linkToken === "") {
      const data = dataWith(await registrationStart(this.#invitations, tenant, start), start);
      return this.#keeper.create(caller, this.#shape, { client, returnTo, data });
    }
    const { pending, parent } = await this.#proofs.open(tenant, "registration", linkToken);
    const { schemaId, invitation } = parent.data;
    assertOpen(tenant, parent.data);
    return this.#keeper.create(caller, this.#shape, {
      client,
      returnTo: returnTo || parent.returnTo,
      data: dataWith({ ...(schemaId && { schemaId }), ...(invitation && { invitation }), pending }, start),
    });
  }

  /** The flow as its holder sees it, or a fresh one in its place. Throws REGISTRATION_DISABLED, INVITATION_REQUIRED. */
  async show(caller: FlowCaller, flowId: string, { flow }: ReadFlow): Promise<FlowFound> {
    const held = this.#keeper.hold(caller, flow);
    if (held.kind === "expired") assertOpen(caller.tenant, held.record.data);
    return this.#keeper.show(caller, this.#shape, flowId, flow);
  }

  /** Tries what was submitted. Two round trips where a password succeeds, beside the throttle's one. Throws RATE_LIMITED. */
  async submit(
    caller: FlowCaller,
    submitted: RegistrationSubmission | FilledForm,
    read?: ReadFlow,
  ): Promise<FlowOutcome<FlowCompleted>> {
    const { tenant } = caller;
    const { flowId } = submitted;
    const found = read?.flow ?? (await this.#keeper.find(tenant, "registration", flowId));
    // Also for flows that began while registration was open; but not before the caller has shown that it is theirs.
    assertOpen(tenant, this.#keeper.hold(caller, found).record.data);
    const entered = await this.#keeper.enter(caller, this.#shape, found, submitted);
    if (entered.kind !== "entered") return entered;
    const { record } = entered;
    const submission = submissionOf(submitted, () => this.#shape.form(tenant, record).nodes);
    const { step } = submission;
    if (record.data.pending !== undefined) return this.#submitProof(caller, record, submission);
    if (awaitsProfile(tenant, record)) return this.#submitProfile(caller, record, submission);
    if (record.data.profileGiven && step.name === "back") return this.#backToProfile(caller, record, flowId);
    return this.#submitMethod(caller, record, submission);
  }

  /** The traits, where they come before the method. */
  async #submitProfile(
    caller: FlowCaller,
    record: FlowRecord,
    submission: RegistrationSubmission,
  ): Promise<FlowOutcome<never>> {
    const { step, traits, flowId } = submission;
    // Security rule: no stage is left out. A method is chosen for traits that were checked.
    if (step.name !== "profile") throw domainError("STEP_NOT_OFFERED", { step: step.name });
    const isProof = caller.tenant.settings.registration.addressProof === "before_session";
    const profile = this.#profileOf(caller.tenant, record, traits, ownedBefore(record, isProof));
    if (profile.kind === "rejected") return this.#rejecter(caller, record, submission)(profile);
    const accepted = profile.traits;
    // Security rule: nobody is looked up here, so nothing tells whether an identifier is taken (ASVS V6.3.8).
    const { account: _outdated, ...data } = record.data;
    return this.#moveOn(caller, record, flowId, { ...data, traits: accepted, profileGiven: true });
  }

  /** To the traits, as they were filled in. What was chosen for them is forgotten. */
  #backToProfile(caller: FlowCaller, record: FlowRecord, flowId: string): Promise<FlowOutcome<never>> {
    const { account: _outdated, profileGiven: _taken, ...data } = record.data;
    return this.#moveOn(caller, record, flowId, data);
  }

  /** A method, with the traits or after them. */
  async #submitMethod(
    caller: FlowCaller,
    record: FlowRecord,
    submission: RegistrationSubmission,
  ): Promise<FlowOutcome<FlowCompleted>> {
    const { tenant } = caller;
    const { step } = submission;
    const method = this.#methods.get(step.name);
    const kind = method === undefined ? this.#proofs.requested(tenant, "registration", step) : "code";
    const reject = this.#rejecter(caller, record, submission);
    if (record.data.profileGiven && isChanged(submission.traits, record)) return reject(traitsChanged());
    const isProof = method === undefined || tenant.settings.registration.addressProof === "before_session";
    const profile = this.#profileOf(tenant, record, submission.traits, ownedBefore(record, isProof));
    if (profile.kind === "rejected") return reject(profile);

    // Counted before a password is hashed, and before an answer could tell that an identifier is taken (ASVS V2.4.1).
    // So is the message that follows, before there is an account: afterwards it is too late to say so.
    const mailbox =
      method && this.#accounts.mailboxOf(tenant, profile.derived, provenByInvitation(record.data));
    const action = mailbox === undefined ? "registration" : "registration_sending";
    const ticket = await this.#throttle.take(tenant, caller.origin, action, {
      address: caller.limitedAddress,
      flow: record.digest,
      device: caller.shownDevice(record.client),
      registrationMailbox: mailbox,
    });
    if (method === undefined) {
      // Security rule: a link makes an account without a password. Otherwise somebody could begin with an address that is
      // not theirs and a password of their own, and its owner's click would give them the account that they know the
      // password of. A code is entered where the password was: whoever proves the address is who chose it.
      const proved = { password: undefined, authentication: { kind, assuranceLevel: "aal1" } } as const;
      return this.#requestProof(caller, record, { kind, profile, proved, submission });
    }
    const identifiers = profile.derived.identifiers.map(({ value }) => value);
    const result = await method.proveRegistration(tenant, step, { traits: profile.traits, identifiers });
    if (result.kind === "rejected") return reject(result);
    const proved = { password: result.password, authentication: result.authentication };
    const proven = provenByInvitation(record.data);
    const address = addressOf(profile.derived);
    // Whoever opened the invitation that was sent there need not prove it again.
    const isInvited = address !== undefined && isProven(proven, address);
    if (!isInvited && tenant.settings.registration.addressProof === "before_session") {
      return this.#requestProof(caller, record, { kind: "code", profile, proved, submission });
    }
    const held = [{ digest: record.digest, revision: record.revision }];
    const account = { ...profile, proved, held, proven, ticket };
    return this.#makeAccount(caller, record, account, reject);
  }

  /** Sends a code or link to the address that the account is to have. */
  async #requestProof(
    caller: FlowCaller,
    record: FlowRecord,
    asked: {
      readonly kind: ProofKind;
      readonly profile: Profile;
      readonly proved: NewAccount["proved"];
      readonly submission: RegistrationSubmission;
    },
  ): Promise<FlowOutcome<never>> {
    const { tenant } = caller;
    const { kind, proved, submission } = asked;
    const { traits, derived } = asked.profile;
    const reject = this.#rejecter(caller, record, submission);
    const target = addressOf(derived);
    if (target === undefined) return reject(noIdentifier());
    // Security rule: whoever clicks has not filled in the form, maybe. Another address in it, of whoever has, would later
    // open the account: the link is for an account that has none but the one that it goes to.
    if (kind === "link" && hasOtherAddresses(derived, target)) return reject(oneAddressForLink());
    const taken = await takenBeside(this.#flows, tenant, derived, target);
    if (taken !== undefined) return reject(taken);
    const data = { traits, account: proved };
    const request = await proofRequest(this.#flows, tenant, target, { kind, data });
    if (request.target === undefined && !tenant.settings.enumerationSafe) {
      return reject(identifiersTaken(derived, new Set([target.value])));
    }
    const next = await this.#proofs.request(caller, record, request);
    return this.#keeper.nextStep(caller, this.#shape, submission.flowId, next);
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
    // Security rule: what was checked is what is stored. Traits that come with the code are not another chance.
    if (isChanged(sent, record)) return reject(traitsChanged());
    const result = await this.#proofs.submit(caller, record, step);
    if (result.kind === "moved") return this.#keeper.nextStep(caller, this.#shape, flowId, result.record);
    if (result.kind === "rejected") return reject(result);

    // Of a link it is the flow that asked for it which knows the traits, not the one that it opened.
    const { holder, held, target, ticket } = result;
    // The schema may have changed since.
    const proven = [target, ...provenByInvitation(record.data)];
    const profile = this.#profileOf(tenant, holder, {}, ownsProven(proven));
    if (profile.kind === "rejected") return reject(profile);
    const { password, authentication = result.authentication } = holder.data.account ?? {};
    // Security rule: a click sets no password, whatever the flow that holds the link remembers.
    const proved =
      result.authentication.kind === "link"
        ? { password: undefined, authentication: result.authentication }
        : { password, authentication };
    const account = { ...profile, proved, held, proven, ticket };
    // Whoever gets here has shown that the address is theirs, so they may know if it is taken.
    return this.#makeAccount(caller, record, account, reject);
  }

  async #makeAccount(
    caller: FlowCaller,
    record: FlowRecord,
    account: NewAccount,
    reject: (rejected: StepRejected) => Promise<FlowOutcome<never>>,
  ): Promise<FlowOutcome<FlowCompleted>> {
    const completed = await this.#accounts.complete(caller, record, account);
    if (completed === "invitation_gone") return reject(invitationGone());
    if (completed !== "identifier_taken") return completed;
    return reject(await takenOf(this.#flows, caller.tenant, account.derived));
  }

  /** Traits that follow the schema and hold something to sign in with, or what is wrong with them. */
  #profileOf(
    tenant: Tenant,
    record: FlowRecord,
    patch: JsonObject,
    owns: OwnsAddress,
  ): Profile | StepRejected {
    const schema = this.#schemaOf(tenant, record);
    const checked = checkChange(schema, givenTraits(record), patch, owns);
    if (!checked.valid) return traitsInvalid(checked.violations);
    const { derived, merged: traits } = checked;
    return derived.identifiers.length === 0 ? noIdentifier() : { kind: "valid", schema, traits, derived };
  }

  /** What answers with the form as it was filled in. */
  #rejecter(caller: FlowCaller, record: FlowRecord, { flowId, traits: patch }: RegistrationSubmission) {
    return (rejected: StepRejected) =>
      this.#keeper.rejected(caller, this.#shape, flowId, record, rejected, { traits: patch });
  }

  /** To another stage. Throws FLOW_CHANGED if another submit was first. */
  async #moveOn(
    caller: FlowCaller,
    record: FlowRecord,
    flowId: string,
    data: FlowData,
  ): Promise<FlowOutcome<never>> {
    const { identityId } = record;
    const next = await advanceFlow(this.#flows, caller.tenant, record, { data, identityId });
    return this.#keeper.nextStep(caller, this.#shape, flowId, next);
  }

  #schemaOf(tenant: Tenant, { data }: FlowRecord): CompiledSchema {
    return this.#schemas.current({ tenantId: tenant.id }, data.schemaId ?? "");
  }
}

/** What a user name may be while nothing is proven: an address of the invitation, or the one that is proven before all else. */
function ownedBefore({ data }: FlowRecord, isProof: boolean): OwnsAddress {
  return (claim, derived) => {
    const first = isProof ? addressOf(derived) : undefined;
    return ownsProven([...provenByInvitation(data), ...(first === undefined ? [] : [first])])(claim, derived);
  };
}

/** Whether traits that were sent would change those that were accepted; they need not be sent again. */
function isChanged(sent: JsonObject, record: FlowRecord): boolean {
  if (Object.keys(sent).length === 0) return false;
  const accepted = givenTraits(record);
  const { merged, beyondLimits } = mergeTraits(accepted, sent);
  return beyondLimits !== undefined || !isSameJson(merged, accepted);
}
