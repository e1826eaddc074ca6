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
import { SessionAdminService as SessionAdminContract } from "../gen/ostiary/session/v1/session_admin_service_pb.js";
import { SessionFeedService as SessionFeedContract } from "../gen/ostiary/session/v1/session_feed_service_pb.js";
import { SessionService as SessionContract } from "../gen/ostiary/session/v1/session_service_pb.js";
import type { Domain } from "./app-domain.ts";
import { metricsScope } from "./transport/http/metrics-route.ts";
import { accessRuleOf } from "./transport/rpc/access-rule.ts";
import { ApiKeyService } from "./transport/rpc/api-key-service.ts";
import { CourierService } from "./transport/rpc/courier-service.ts";
import { FlowService } from "./transport/rpc/flow-service.ts";
import { FlowSubmits } from "./transport/rpc/flow-submits.ts";
import { IdentityProfiles } from "./transport/rpc/identity-profiles.ts";
import { IdentitySchemaService } from "./transport/rpc/identity-schema-service.ts";
import { IdentityService } from "./transport/rpc/identity-service.ts";
import { InvitationService } from "./transport/rpc/invitation-service.ts";
import { LoginService } from "./transport/rpc/login-service.ts";
import { RecoveryService } from "./transport/rpc/recovery-service.ts";
import { RegistrationService } from "./transport/rpc/registration-service.ts";
import type { ServiceBinding } from "./transport/rpc/routes.ts";
import { SessionAdminService } from "./transport/rpc/session-admin-service.ts";
import { SessionFeedService } from "./transport/rpc/session-feed-service.ts";
import { SessionService } from "./transport/rpc/session-service.ts";
import { SettingsService } from "./transport/rpc/settings-service.ts";
import { ThrottleService } from "./transport/rpc/throttle-service.ts";
import { VerificationService } from "./transport/rpc/verification-service.ts";

/** What the services are made of: the domain, and what several of them share. */
interface Parts extends Domain {
  readonly profiles: IdentityProfiles;
  readonly submits: FlowSubmits;
}

/** A service of the contract, and how the class that carries it out is made. */
interface Wiring {
  readonly service: DescService;
  create(parts: Parts): object;
}

function wire<Service extends DescService>(
  service: Service,
  create: (parts: Parts) => ServiceImpl<Service>,
): Wiring {
  return { service, create };
}

/** What is served; each service's `listener` option says where. There is no other list. */
const wirings: readonly Wiring[] = [
  wire(
    FlowContract,
    ({ anyFlows, tenantProfiles, submits }) =>
      new FlowService({ flows: anyFlows, profiles: tenantProfiles, submits }),
  ),
  wire(LoginContract, ({ loginFlows, submits }) => new LoginService({ flows: loginFlows, submits })),
  wire(
    RegistrationContract,
    ({ registrationFlows, submits }) => new RegistrationService({ flows: registrationFlows, submits }),
  ),
  wire(
    VerificationContract,
    ({ verificationFlows, submits }) => new VerificationService({ flows: verificationFlows, submits }),
  ),
  wire(
    RecoveryContract,
    ({ recoveryFlows, submits }) => new RecoveryService({ flows: recoveryFlows, submits }),
  ),
  wire(
    SettingsContract,
    ({ settingsFlows, submits }) => new SettingsService({ flows: settingsFlows, submits }),
  ),
  wire(SessionContract, (parts) => new SessionService(parts)),
  wire(SessionFeedContract, () => new SessionFeedService()),
  wire(SessionAdminContract, (parts) => new SessionAdminService(parts)),
  wire(IdentityContract, (parts) => new IdentityService(parts)),
  wire(InvitationContract, (parts) => new InvitationService(parts)),
  wire(IdentitySchemaContract, (parts) => new IdentitySchemaService(parts)),
  wire(CourierContract, (parts) => new CourierService(parts)),
  wire(ApiKeyContract, (parts) => new ApiKeyService(parts)),
  wire(ThrottleContract, ({ throttleAdmin }) => new ThrottleService({ throttle: throttleAdmin })),
];

/** Every service of ours, by what the contract says of it. */
export const contracts: readonly DescService[] = wirings.map(({ service }) => service);

/** The scopes that a key or certificate can have a use for, without wildcards. */
export const knownScopes: ReadonlySet<string> = new Set([
  metricsScope,
  ...contracts
    .flatMap(({ methods }) => methods)
    .flatMap((method) => {
      const rule = accessRuleOf(method);
      return rule.kind === "api_key" ? [rule.scope] : [];
    }),
]);

/** The services, with the objects that carry them out. */
export function createServices(domain: Domain): readonly ServiceBinding[] {
  const profiles = new IdentityProfiles({ schemas: domain.schemas });
  const submits = new FlowSubmits({ answers: domain.flowAnswers, profiles });
  const parts = { ...domain, profiles, submits };
  return wirings.map(({ service, create }) => ({ service, implementation: create(parts) }));
}
