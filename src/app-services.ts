/** The wiring of the contract: which class carries out which service. */
import type { DescService } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { ApiKeyService as ApiKeyContract } from "../gen/ostiary/access/v1/api_key_service_pb.js";
import { ThrottleService as ThrottleContract } from "../gen/ostiary/access/v1/throttle_service_pb.js";
import { CourierService as CourierContract } from "../gen/ostiary/courier/v1/courier_service_pb.js";
import { FlowService as FlowContract } from "../gen/ostiary/flow/v1/flow_service_pb.js";
import { LoginService as LoginContract } from "../gen/ostiary/flow/v1/login_service_pb.js";
import { RecoveryService as RecoveryContract } from "../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService as RegistrationContract } from "../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService as SettingsContract } from "../gen/ostiary/flow/v1/settings_service_pb.js";
import { VerificationService as VerificationContract } from "../gen/ostiary/flow/v1/verification_service_pb.js";
import { IdentitySchemaService as IdentitySchemaContract } from "../gen/ostiary/identity/v1/identity_schema_service_pb.js";
import { IdentityService as IdentityContract } from "../gen/ostiary/identity/v1/identity_service_pb.js";
import { InvitationService as InvitationContract } from "../gen/ostiary/identity/v1/invitation_service_pb.js";
import { ProviderAdminService as ProviderAdminContract } from "../gen/ostiary/provider/v1/provider_admin_service_pb.js";
import { SessionAdminService as SessionAdminContract } from "../gen/ostiary/session/v1/session_admin_service_pb.js";
import { SessionFeedService as SessionFeedContract } from "../gen/ostiary/session/v1/session_feed_service_pb.js";
import { SessionService as SessionContract } from "../gen/ostiary/session/v1/session_service_pb.js";
import type { Rules } from "./app-domain.ts";
import { reportScope } from "./transport/arrival-reports.ts";
import { accessRuleOf } from "./transport/rpc/access-rule.ts";
import { metricsScope } from "./transport/rpc/path-guards.ts";
import { ApiKeyService } from "./transport/rpc/services/api-key-service.ts";
import { CourierService } from "./transport/rpc/services/courier-service.ts";
import { FlowService } from "./transport/rpc/services/flow-service.ts";
import { FlowSubmits } from "./transport/rpc/services/flow-submits.ts";
import { IdentityProfiles } from "./transport/rpc/services/identity-profiles.ts";
import { IdentitySchemaService } from "./transport/rpc/services/identity-schema-service.ts";
import { IdentityService } from "./transport/rpc/services/identity-service.ts";
import { InvitationService } from "./transport/rpc/services/invitation-service.ts";
import { LoginService } from "./transport/rpc/services/login-service.ts";
import { ProviderAdminService } from "./transport/rpc/services/provider-admin-service.ts";
import { RecoveryService } from "./transport/rpc/services/recovery-service.ts";
import { RegistrationService } from "./transport/rpc/services/registration-service.ts";
import { SessionAdminService } from "./transport/rpc/services/session-admin-service.ts";
import { SessionFeedService } from "./transport/rpc/services/session-feed-service.ts";
import { SessionService } from "./transport/rpc/services/session-service.ts";
import { SettingsService } from "./transport/rpc/services/settings-service.ts";
import { ThrottleService } from "./transport/rpc/services/throttle-service.ts";
import { VerificationService } from "./transport/rpc/services/verification-service.ts";
import type { BroadcastingImpl } from "./transport/rpc/stream/broadcast.ts";

/** The same with the parts of an answer that several services make. */
interface Parts extends Rules {
  readonly profiles: IdentityProfiles;
  readonly submits: FlowSubmits;
}

/** A service of the contract with its class; a method that the class lacks is a compile error. */
function bind<Service extends DescService>(service: Service, make: (parts: Parts) => ServiceImpl<Service>) {
  return { service, make };
}

/** The same for a service whose streams go to many at once. */
function bindBroadcasting<Service extends DescService>(
  service: Service,
  make: (parts: Parts) => BroadcastingImpl<Service>,
) {
  return { service, make, broadcasts: true };
}

/** Every service, with the class that carries it out. Its `listener` option says where it is served. */
const bindings = [
  bind(
    FlowContract,
    ({ flows, tenantProfiles: profiles, submits }) =>
      new FlowService({ flows: flows.any, profiles, submits }),
  ),
  bind(
    LoginContract,
    ({ flows, submits }) => new LoginService({ flows: flows.login, oauth2: flows.oauth2, submits }),
  ),
  bind(
    RegistrationContract,
    ({ flows, submits }) =>
      new RegistrationService({ flows: flows.registration, oauth2: flows.oauth2, submits }),
  ),
  bind(
    VerificationContract,
    ({ flows, submits }) => new VerificationService({ flows: flows.verification, submits }),
  ),
  bind(RecoveryContract, ({ flows, submits }) => new RecoveryService({ flows: flows.recovery, submits })),
  bind(SettingsContract, ({ flows, submits }) => new SettingsService({ flows: flows.settings, submits })),
  bind(SessionContract, (parts) => new SessionService(parts)),
  bindBroadcasting(SessionFeedContract, (parts) => new SessionFeedService(parts)),
  bind(ProviderAdminContract, ({ outbound: { providers } }) => new ProviderAdminService({ providers })),
  bind(SessionAdminContract, (parts) => new SessionAdminService(parts)),
  bind(IdentityContract, (parts) => {
    const { operator: operatorFlows, explanations } = parts.flows;
    return new IdentityService({ ...parts, operatorFlows, explanations });
  }),
  bind(InvitationContract, (parts) => new InvitationService(parts)),
  bind(IdentitySchemaContract, (parts) => new IdentitySchemaService(parts)),
  bind(CourierContract, (parts) => new CourierService(parts)),
  bind(ApiKeyContract, (parts) => new ApiKeyService(parts)),
  bind(ThrottleContract, ({ throttleAdmin: throttle }) => new ThrottleService({ throttle })),
];

/** The services of the contract that are served. */
export const services: readonly DescService[] = bindings.map(({ service }) => service);

/** The scopes that a key or certificate can have a use for, without wildcards. */
export const knownScopes: ReadonlySet<string> = new Set([
  metricsScope,
  reportScope,
  ...services
    .flatMap(({ methods }) => methods)
    .flatMap((method) => {
      const rule = accessRuleOf(method);
      return rule.kind === "api_key" ? [rule.scope] : [];
    }),
]);

/** Makes the classes that carry out the services. */
export function createServices(rules: Rules) {
  const profiles = new IdentityProfiles(rules);
  const submits = new FlowSubmits({ answers: rules.flows.answers, profiles });
  const parts = { ...rules, profiles, submits };
  return bindings.map(({ make, ...binding }) => ({ ...binding, implementation: make(parts) }));
}
