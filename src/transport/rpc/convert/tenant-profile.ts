import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type BrandColorsSchema,
  LoginStyle,
  RegistrationMode,
  type TenantProfileSchema,
} from "../../../../gen/ostiary/flow/v1/tenant_profile_pb.js";
import { IdentifierKind } from "../../../../gen/ostiary/identity/v1/identity_pb.js";
import type { TenantProfile } from "../../../domain/flow/tenant-profiles.ts";
import type { IdentifierTrait } from "../../../domain/identity/identifier-traits.ts";
import type { MethodKind } from "../../../domain/kinds.ts";
import type { BrandColors } from "../../../domain/tenant/branding.ts";
import { identifierLabel } from "../../../domain/user-message/user-messages.ts";
import { identifierKinds } from "./identity.ts";
import { toMessage } from "./message.ts";
import { methodKinds } from "./method.ts";

const traitKinds: Record<IdentifierTrait["kind"], IdentifierKind> = {
  ...identifierKinds,
  any: IdentifierKind.UNSPECIFIED,
};
const styles: Record<TenantProfile["login"]["style"], LoginStyle> = {
  one_step: LoginStyle.ONE_STEP,
  identifier_first: LoginStyle.IDENTIFIER_FIRST,
};
const modes: Record<TenantProfile["registration"]["mode"], RegistrationMode> = {
  open: RegistrationMode.OPEN,
  invitation: RegistrationMode.INVITATION,
  closed: RegistrationMode.CLOSED,
};

/** The profile of a tenant as the contract shows it. */
export function toTenantProfile(profile: TenantProfile): MessageInitShape<typeof TenantProfileSchema> {
  const { branding, login, registration, verification, recovery, settings } = profile;
  return {
    branding: {
      ...branding,
      colors: toColors(branding.colors),
      darkColors: toColors(branding.darkColors),
    },
    languages: [...profile.languages],
    identifiers: profile.identifiers.map(({ kind, title }) => ({
      kind: traitKinds[kind],
      label: toMessage(identifierLabel([title])),
    })),
    defaultSchemaId: profile.defaultSchemaId,
    defaultCountry: profile.defaultCountry,
    passwordRules: profile.password,
    login: { methods: login.methods.map(toMethod), style: styles[login.style] },
    registration: {
      mode: modes[registration.mode],
      methods: registration.methods.map(toMethod),
      schemaIds: [...registration.schemaIds],
    },
    verification: { ...verification, methods: verification.methods.map(toMethod) },
    recovery: { ...recovery, methods: recovery.methods.map(toMethod) },
    settings: { ...settings, methods: settings.methods.map(toMethod) },
    mailboxUrl: profile.mailboxUrl,
  };
}

function toMethod(kind: MethodKind) {
  return { kind: methodKinds[kind] };
}

/** The colours; unset if none is configured. */
function toColors(colors: BrandColors): MessageInitShape<typeof BrandColorsSchema> | undefined {
  return Object.values(colors).every((color) => color === "") ? undefined : colors;
}
