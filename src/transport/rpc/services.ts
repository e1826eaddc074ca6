import type { DescService } from "@bufbuild/protobuf";
import { ApiKeyService } from "../../../gen/ostiary/access/v1/api_key_service_pb.js";
import { ThrottleService } from "../../../gen/ostiary/access/v1/throttle_service_pb.js";
import { CourierService } from "../../../gen/ostiary/courier/v1/courier_service_pb.js";
import { FlowService } from "../../../gen/ostiary/flow/v1/flow_service_pb.js";
import { LoginService } from "../../../gen/ostiary/flow/v1/login_service_pb.js";
import { RecoveryService } from "../../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService } from "../../../gen/ostiary/flow/v1/settings_service_pb.js";
import { VerificationService } from "../../../gen/ostiary/flow/v1/verification_service_pb.js";
import { IdentitySchemaService } from "../../../gen/ostiary/identity/v1/identity_schema_service_pb.js";
import { IdentityService } from "../../../gen/ostiary/identity/v1/identity_service_pb.js";
import { InvitationService } from "../../../gen/ostiary/identity/v1/invitation_service_pb.js";
import { SessionAdminService } from "../../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { SessionFeedService } from "../../../gen/ostiary/session/v1/session_feed_service_pb.js";
import { SessionService } from "../../../gen/ostiary/session/v1/session_service_pb.js";

/** All services of the contract. Each declares its listener; `servicesOf` in src/app.ts binds their classes. */
export const allServices: readonly DescService[] = [
  FlowService,
  LoginService,
  RegistrationService,
  RecoveryService,
  VerificationService,
  SettingsService,
  SessionService,
  SessionFeedService,
  SessionAdminService,
  IdentityService,
  IdentitySchemaService,
  InvitationService,
  CourierService,
  ApiKeyService,
  ThrottleService,
];
