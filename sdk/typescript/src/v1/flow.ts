// SPDX-License-Identifier: Apache-2.0
// The generated types of `ostiary.flow.v1`: flows, forms, and the services of each kind of flow.
export * from "../../../../gen/ostiary/flow/v1/flow_pb.js";
export * from "../../../../gen/ostiary/flow/v1/flow_service_pb.js";
export * from "../../../../gen/ostiary/flow/v1/form_pb.js";
export * from "../../../../gen/ostiary/flow/v1/login_service_pb.js";
export * from "../../../../gen/ostiary/flow/v1/outcome_pb.js";
export * from "../../../../gen/ostiary/flow/v1/recovery_service_pb.js";
export * from "../../../../gen/ostiary/flow/v1/registration_service_pb.js";
export * from "../../../../gen/ostiary/flow/v1/settings_service_pb.js";
export * from "../../../../gen/ostiary/flow/v1/step_pb.js";
export * from "../../../../gen/ostiary/flow/v1/tenant_profile_pb.js";
export * from "../../../../gen/ostiary/flow/v1/verification_service_pb.js";
