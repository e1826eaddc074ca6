import { button, type Node } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import { traitNodes } from "../../form/trait-nodes.ts";
import type { ProofTarget } from "../../identity/addresses.ts";
import type { CompiledSchema } from "../../identity/compiled-schema.ts";
import type { DerivedTraits } from "../../identity/identity.ts";
import { mergeTraits, withoutWriteOnly } from "../../identity/own-traits.ts";
import type { JsonObject } from "../../json.ts";
import * as messages from "../../message/message.ts";
import type { RegistrationMethod } from "../../method/method.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { AddressProofs } from "../challenge/address-proofs.ts";
import type { FlowRecord } from "../shared/flow.ts";
import type { FlowShape } from "../shared/flow-keeper.ts";
import type { Typed } from "../shared/kept-outcome.ts";

/** A registration as its holder sees it: the traits, and the ways to prove who one is. */
export function registrationShape(
  methods: readonly RegistrationMethod[],
  proofs: AddressProofs,
  schemaOf: (tenant: Tenant, flow: FlowRecord) => CompiledSchema,
): FlowShape {
  const profileNodes = (tenant: Tenant, flow: FlowRecord, typed: Typed): readonly Node[] => {
    const schema = schemaOf(tenant, flow);
    const given = givenTraits(flow);
    const saved = withoutWriteOnly(schema, given);
    const submitted = typed.traits && withoutWriteOnly(schema, mergeTraits(given, typed.traits).merged);
    // A default of the schema is filled in once, and not again after the person has taken it out.
    const isNew = submitted === undefined && flow.data.traits === undefined;
    return flow.data.profileGiven
      ? []
      : traitNodes(schema.fields, submitted ?? saved, { saved, isNew, hidden: schema.writeOnlyIn(given) });
  };
  const methodNodes = (tenant: Tenant, flow: FlowRecord): readonly Node[] =>
    awaitsProfile(tenant, flow)
      ? [button("profile", messages.continueLabel())]
      : [
          ...methods.flatMap((method) => method.registrationNodes(tenant)),
          ...proofs.forms.requestNodes(tenant, "registration"),
          ...(flow.data.profileGiven ? [button("back", messages.backLabel("registration"), true)] : []),
        ];
  return {
    kind: "registration",
    lifetimeMs: (tenant) => tenant.settings.registration.lifetimeMs,
    stage: (tenant, flow) => {
      const waiting = proofs.forms.stageOf(tenant, flow);
      if (waiting !== undefined) return waiting;
      if (awaitsProfile(tenant, flow)) return { kind: "fill_profile" };
      const own = methods.map(({ kind }) => ({ kind }));
      return { kind: "choose_method", offers: [...own, ...proofs.forms.offers(tenant, "registration")] };
    },
    readable: (tenant, flow, traits) => withoutWriteOnly(schemaOf(tenant, flow), traits),
    form: (tenant, flow, typed = {}) => ({
      nodes: proofs.forms.nodesOf(flow) ?? [
        ...profileNodes(tenant, flow, typed),
        ...methodNodes(tenant, flow),
      ],
      messages: proofs.forms.messagesOf(flow),
    }),
  };
}

/** What was filled in so far, in the flow or in the invitation: what is submitted next is a patch of it. */
export function givenTraits({ data }: FlowRecord): JsonObject {
  return data.traits ?? data.invitation?.traits ?? {};
}

/** Whether the traits come next, before any method. A flow that has come further stays there, whatever is configured. */
export function awaitsProfile({ settings }: Tenant, { data }: FlowRecord): boolean {
  return settings.registration.style === "profile_first" && data.profileGiven !== true;
}

/** The address that is proven: the first one that the account signs in with, else the first that can be verified. */
export function addressOf(derived: DerivedTraits): ProofTarget | undefined {
  const isAddress = ({ kind }: { kind: string }) => kind === "email" || kind === "phone";
  const first = derived.identifiers.find(isAddress) ?? derived.verifiableAddresses[0];
  return first === undefined
    ? undefined
    : { kind: first.kind === "phone" ? "phone" : "email", value: first.value };
}

/** Traits that hold nothing to sign in with. */
export function noIdentifier(): StepRejected {
  const problems = { fields: [], form: [messages.identifierMissing()] };
  return { kind: "rejected", reason: "TRAITS_INVALID", problems };
}

/** Traits that are not those that were accepted before. */
export function traitsChanged(): StepRejected {
  const problems = { fields: [], form: [messages.traitsMismatch()] };
  return { kind: "rejected", reason: "TRAITS_INVALID", problems };
}

/** Whether an account would have other addresses than the one that is proven. */
export function hasOtherAddresses(derived: DerivedTraits, proven: ProofTarget): boolean {
  const { identifiers, verifiableAddresses, recoveryAddresses } = derived;
  const addresses = [
    ...identifiers.filter(({ kind }) => kind !== "username"),
    ...verifiableAddresses,
    ...recoveryAddresses,
  ];
  return addresses.some(({ value }) => value !== proven.value);
}

/** Several addresses, of which a link would prove one. */
export function oneAddressForLink(): StepRejected {
  const problems = { fields: [], form: [messages.oneAddressForLink()] };
  return { kind: "rejected", reason: "TRAITS_INVALID", problems };
}
