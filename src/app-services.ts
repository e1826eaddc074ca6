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
import { RecoveryService } from "./transport/rpc/services/recovery-service.ts";
import { RegistrationService } from "./transport/rpc/services/registration-service.ts";
import { SessionAdminService } from "./transport/rpc/services/session-admin-service.ts";
import { SessionFeedService } from "./transport/rpc/services/session-feed-service.ts";
import { SessionService } from "./transport/rpc/services/session-service.ts";
import { SettingsService } from "./transport/rpc/services/settings-service.ts";
import { ThrottleService } from "./transport/rpc/services/throttle-service.ts";
import { VerificationService } from "./transport/rpc/services/verification-service.ts";

/** Every service of ours, by what the contract says of it. */
export const contracts = [
  FlowContract,
  LoginContract,
  RegistrationContract,
  VerificationContract,
  RecoveryContract,
  SettingsContract,
  SessionContract,
  SessionFeedContract,
  SessionAdminContract,
  IdentityContract,
  InvitationContract,
  IdentitySchemaContract,
  CourierContract,
  ApiKeyContract,
  ThrottleContract,
] as const;

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

/** The classes that carry out the services; each service's `listener` option says where it is served. */
export function createServices(domain: Domain) {
  const { sessions, apiKeys, identities, schemas, idempotency } = domain;
  const profiles = new IdentityProfiles({ schemas });
  const submits = new FlowSubmits({ answers: domain.flows.answers, profiles });
  return [
    bind(
      FlowContract,
      new FlowService({ flows: domain.flows.any, profiles: domain.tenantProfiles, submits }),
    ),
    bind(LoginContract, new LoginService({ flows: domain.flows.login, submits })),
    bind(RegistrationContract, new RegistrationService({ flows: domain.flows.registration, submits })),
    bind(VerificationContract, new VerificationService({ flows: domain.flows.verification, submits })),
    bind(RecoveryContract, new RecoveryService({ flows: domain.flows.recovery, submits })),
    bind(SettingsContract, new SettingsService({ flows: domain.flows.settings, submits })),
    bind(SessionContract, new SessionService({ sessions, logins: domain.logins, profiles })),
    bind(SessionFeedContract, new SessionFeedService()),
    bind(SessionAdminContract, new SessionAdminService({ sessions, identities })),
    bind(IdentityContract, new IdentityService({ ...domain, operatorFlows: domain.flows.operator })),
    bind(InvitationContract, new InvitationService({ invitations: domain.invitations, idempotency })),
    bind(IdentitySchemaContract, new IdentitySchemaService({ schemas })),
    bind(CourierContract, new CourierService({ messages: domain.messages })),
    bind(ApiKeyContract, new ApiKeyService({ apiKeys, idempotency })),
    bind(ThrottleContract, new ThrottleService({ throttle: domain.throttleAdmin })),
  ];
}

/** A service with its class; a method that the class lacks is a compile error. */
function bind<Service extends DescService>(service: Service, implementation: ServiceImpl<Service>) {
  return { service, implementation };
}
