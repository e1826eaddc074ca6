import type { CompiledSchema } from "../identity/compiled-schema.ts";
import type { DerivedTraits } from "../identity/identity.ts";
import * as messages from "../message/message.ts";
import type { RegistrationMethod, StepRejected } from "../method/method.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { AddressProofs } from "./address-proofs.ts";
import type { FlowRecord, ProofTarget } from "./flow.ts";
import type { FlowShape } from "./flow-keeper.ts";
import { traitNodes } from "./trait-nodes.ts";

/** A registration as its holder sees it: the traits, and the ways to prove who one is. */
export function registrationShape(
  methods: readonly RegistrationMethod[],
  proofs: AddressProofs,
  schemaOf: (tenant: Tenant, flow: FlowRecord) => CompiledSchema,
): FlowShape {
  return {
    kind: "registration",
    lifetimeMs: (tenant) => tenant.settings.registration.lifetimeMs,
    step: (tenant, flow) =>
      proofs.stepOf(tenant, flow) ?? {
        kind: "choose_method",
        methods: [...methods.map((method) => method.kind), ...proofs.offered(tenant, "registration")],
      },
    form: (tenant, flow) => ({
      nodes: proofs.nodesOf(tenant, flow) ?? [
        ...traitNodes(schemaOf(tenant, flow).fields, flow.data.traits ?? {}),
        ...methods.flatMap((method) => method.registrationNodes(tenant)),
        ...proofs.requestNodes(tenant, "registration"),
      ],
      messages: proofs.messagesOf(flow),
    }),
  };
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
