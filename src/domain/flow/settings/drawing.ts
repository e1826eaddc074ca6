/** What is drawn in the settings: the fields of the profile, the parts of the methods, and who it is for. */
import { button, type Node } from "../../form/form.ts";
import { traitNodes } from "../../form/trait-nodes.ts";
import { accountName } from "../../identity/account-name.ts";
import type { Credential, Identity } from "../../identity/identity.ts";
import { changeableNow } from "../../identity/merge-patch.ts";
import { mergeTraits, withoutWriteOnly } from "../../identity/own-traits.ts";
import { enabledMethods, type SettingsMethod, type SettingsStage } from "../../method/method.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import * as headings from "../../user-message/stage-messages.ts";
import * as texts from "../../user-message/user-messages.ts";
import type { Typed } from "../shared/kept-outcome.ts";
import { bindingOf } from "../shared/second-factors.ts";
import type { ContextOf } from "../shared/table.ts";
import type { SettingsState, SettingsTypes } from "./state.ts";

type State<At extends SettingsState["at"]> = Extract<SettingsState, { readonly at: At }>;

/** The fields of the profile, with what is typed or waits in the place of what is saved. */
export function profileNodes(
  { account, state }: ContextOf<SettingsTypes, State<"change_settings">>,
  { traits: typed }: Typed,
): readonly Node[] {
  if (account === undefined) return [];
  const { schema, identity } = account;
  const { traits } = identity;
  const saved = withoutWriteOnly(schema, traits);
  const waiting =
    state.unproved ?? (state.interrupted?.kind === "profile" ? state.interrupted.change : undefined);
  const patch = typed ?? (waiting && changeableNow(waiting, traits));
  const wanted = patch && withoutWriteOnly(schema, mergeTraits(traits, patch).merged);
  const options = { saved, hidden: schema.writeOnlyIn(traits), step: "profile" };
  return [...traitNodes(schema.fields, wanted ?? saved, options), button("profile", texts.saveLabel())];
}

/** The headings where a new secret is set. */
export function newSecretTexts({ settings }: Tenant) {
  // What replaces nothing, such as a first passkey, needs no help.
  return settings.password.enabled
    ? { title: headings.newSecretTitle(), subtitle: headings.newSecretHelp() }
    : { title: headings.newWayTitle() };
}

/** The link to the page where people sign in. */
export function signInNodes({ settings }: Tenant): readonly Node[] {
  const { login: url } = settings.uiUrls;
  if (url === undefined) return [];
  return [{ name: "signIn", label: headings.signInLink(), messages: [], element: { kind: "anchor", url } }];
}

/** Where in the settings the nodes of a method are drawn. */
export function stageOf(
  { tenant, flow, account, state }: ContextOf<SettingsTypes>,
  { kind }: SettingsMethod,
): SettingsStage {
  const { credentials = [], former = credentials, identity } = account ?? {};
  const isOwn = (own: Credential) => own.kind === kind;
  const memory = "method" in state ? state.method.memory : undefined;
  return {
    ...{ tenant, credentials: credentials.filter(isOwn), former: former.filter(isOwn) },
    ...{ name: identity === undefined ? "" : accountName(identity), binding: bindingOf(flow), memory },
    username: usernameFor(flow, identity),
  };
}

/** Whether a second factor is asked for, and nothing helps those who lose it. */
export function lacksBackupCodes(
  tenant: Tenant,
  methods: readonly SettingsMethod[],
  credentials: readonly Credential[] = [],
): boolean {
  const isOn = enabledMethods(methods, tenant).some(({ kind }) => kind === "backup_code");
  const has = credentials.some(({ kind, facts }) => kind === "backup_code" && Number(facts.remaining) > 0);
  return isOn && !has && credentials.some(({ isSecondFactor }) => isSecondFactor);
}

/** What is drawn of a credential that is there. */
export function nodesOf(
  credential: Credential | undefined,
  draw: (credential: Credential) => readonly Node[],
): readonly Node[] {
  return credential === undefined ? [] : draw(credential);
}

/** Nodes as those of a section. */
export function inSection(section: string, nodes: readonly Node[]): readonly Node[] {
  return nodes.map((node) => ({ ...node, section }));
}

/**
 * What somebody signs in with; after a recovery, which shows nothing of the account, as far as they have shown it themselves. An app keeps the
 * password by itself, and anyone with the id of its flow sees the form: there the name is left out.
 */
function usernameFor(
  { client, data }: ContextOf<SettingsTypes>["flow"],
  identity: Identity | undefined,
): string | undefined {
  const { purpose } = data;
  if (purpose.kind !== "recovery") return identity?.identifiers[0]?.value;
  return client === "browser" ? purpose.username : undefined;
}
