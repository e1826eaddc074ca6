import { button, type Node, nodeName } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import { traitNodes, traitProblems } from "../../form/trait-nodes.ts";
import type { CompiledSchema } from "../../identity/compiled-schema.ts";
import type { DerivedTraits, Identity } from "../../identity/identity.ts";
import { changeableNow } from "../../identity/merge-patch.ts";
import { mergeTraits, withoutWriteOnly } from "../../identity/own-traits.ts";
import type { TraitsEtags } from "../../identity/traits-etags.ts";
import { never } from "../../instant.ts";
import { type JsonObject, valueAt } from "../../json.ts";
import * as messages from "../../message/message.ts";
import type { SettingsMethod } from "../../method/method.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { AddressProofs } from "../challenge/address-proofs.ts";
import type { FlowRecord, SettingsOffer } from "../shared/flow.ts";
import type { FlowShape } from "../shared/flow-keeper.ts";
import type { Typed } from "../shared/kept-outcome.ts";
import { deleteNode, deletionStep, keepNode } from "./deletion-form.ts";

/** The settings of one account, as a form. After a recovery only a new secret is on offer. */
export function settingsShape(
  methods: readonly SettingsMethod[],
  proofs: AddressProofs,
  etags: TraitsEtags,
  schema: CompiledSchema | undefined,
  identity: Identity | undefined,
): FlowShape {
  const profileNodes = ({ data }: FlowRecord, typed: Typed): readonly Node[] => {
    if (schema === undefined || identity === undefined) return [];
    const { traits } = identity;
    const saved = withoutWriteOnly(schema, traits);
    const waiting = data.interrupted?.kind === "profile" ? data.interrupted.change : undefined;
    const patch = typed.traits ?? (waiting && changeableNow(waiting, traits));
    const wanted = patch && withoutWriteOnly(schema, mergeTraits(traits, patch).merged);
    const options = { saved, hidden: schema.writeOnlyIn(traits), step: "profile" };
    return [...traitNodes(schema.fields, wanted ?? saved, options), button("profile", messages.saveLabel())];
  };
  const deletionOf = (tenant: Tenant) => identity && deletionStep(tenant, identity);
  const secretNodes = (tenant: Tenant) => methods.flatMap((method) => method.settingsNodes(tenant));
  return {
    kind: "settings",
    lifetimeMs: (tenant) => tenant.settings.settings.lifetimeMs,
    account: ({ data }) =>
      identity === undefined || data.recovery !== undefined
        ? undefined
        : { identityId: identity.id, displayName: accountName(identity) },
    stage: (tenant, flow) => {
      const waiting = proofs.forms.stageOf(tenant, flow);
      if (waiting !== undefined) return waiting;
      if (flow.data.recovery !== undefined) {
        return { kind: "set_new_secret", offers: methods.map(({ kind }) => ({ kind })) };
      }
      const offers: SettingsOffer[] = [{ kind: "profile" }, { kind: "password" }];
      if (identity !== undefined && deletionOf(tenant) !== undefined) {
        offers.push({
          kind: "deletion",
          deleteAt: identity.deleteAt === never ? undefined : identity.deleteAt,
        });
      }
      return { kind: "change_settings", offers };
    },
    traitsEtag: (_tenant, { data }) =>
      identity === undefined || data.recovery !== undefined ? undefined : etags.make(identity),
    readable: (_tenant, _flow, traits) => (schema === undefined ? {} : withoutWriteOnly(schema, traits)),
    form: (tenant, flow, typed = {}) => {
      const awaited = proofs.forms.nodesOf(flow);
      if (awaited !== undefined) return { nodes: awaited, messages: proofs.forms.messagesOf(flow) };
      if (flow.data.recovery !== undefined) {
        const nodes = [...secretNodes(tenant), ...resumeNodes(flow)];
        return { nodes, messages: [messages.recoverySucceeded()] };
      }
      const nodes = [
        ...resumeNodes(flow),
        ...inSection("profile", profileNodes(flow, typed)),
        ...inSection("password", secretNodes(tenant)),
      ];
      const sections = [
        { id: "profile", title: messages.profileTitle() },
        { id: "password", title: messages.passwordTitle() },
      ];
      const account = identity && messages.accountOf(accountName(identity));
      if (identity !== undefined && identity.deleteAt !== never) {
        const scheduled = messages.deletionScheduled(identity.deleteAt);
        return { account, sections, nodes: [keepNode(), ...nodes], messages: [scheduled] };
      }
      if (deletionOf(tenant) === undefined) return { account, sections, nodes, messages: [] };
      sections.push({ id: "deletion", title: messages.deletionTitle() });
      return { account, sections, nodes: [...nodes, deleteNode(tenant)], messages: [] };
    },
  };
}

/** What an account is known by to its owner: the name that its schema gives, else what they sign in with. */
function accountName({ displayName, identifiers }: Identity): string {
  return displayName || (identifiers[0]?.value ?? "");
}

/** Traits that do not follow the schema, as what is wrong with a form. */
export function traitsInvalid(violations: Parameters<typeof traitProblems>[0]): StepRejected {
  return { kind: "rejected", reason: "TRAITS_INVALID", problems: traitProblems(violations) };
}

/** The messages for traits that were changed elsewhere since the form was drawn: beside each new value, the typed value. */
export function traitsChangedElsewhere(
  schema: CompiledSchema,
  paths: readonly (readonly string[])[],
  patch: JsonObject,
): StepRejected {
  // Security rule: a write-only trait is not shown in a message either.
  const shown = withoutWriteOnly(schema, patch);
  const fields = paths.map((path) => ({
    name: nodeName("traits", ...path),
    message: messages.traitChangedElsewhere(valueAt(shown, path) ?? null),
  }));
  return { kind: "rejected", reason: "TRAITS_CHANGED", problems: { fields, form: [] } };
}

/** Several new addresses at once: each needs a proof of its own. */
export function oneAddressAtATime(): StepRejected {
  const problems = { fields: [], form: [messages.oneAddressAtATime()] };
  return { kind: "rejected", reason: "TRAITS_INVALID", problems };
}

/** Identifiers that somebody else has; all of them where it is not known which. */
export function identifiersTaken(derived: DerivedTraits, taken?: ReadonlySet<string>): StepRejected {
  const fields = derived.identifiers
    .filter((identifier) => taken === undefined || taken.has(identifier.value))
    .map((identifier) => ({
      // The path is escaped as the names of nodes are.
      name: `traits.${identifier.path}`,
      message: messages.duplicateIdentifier(),
    }));
  // The other account may be gone again by now; the form must say something all the same.
  const form = fields.length === 0 ? [messages.duplicateIdentifier()] : [];
  return { kind: "rejected", reason: "IDENTIFIER_TAKEN", problems: { fields, form } };
}

function inSection(section: string, nodes: readonly Node[]): readonly Node[] {
  return nodes.map((node) => ({ ...node, section }));
}

function resumeNodes({ data }: FlowRecord): readonly Node[] {
  return data.interrupted === undefined ? [] : [button("resume", messages.resumeLabel(), true)];
}
