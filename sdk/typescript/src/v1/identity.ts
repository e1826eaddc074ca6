// SPDX-License-Identifier: Apache-2.0
// The generated types of `ostiary.identity.v1`: identities, their credentials and schemas, invitations.
export * from "../../../../gen/ostiary/identity/v1/identity_pb.js";
export * from "../../../../gen/ostiary/identity/v1/identity_schema_pb.js";
export * from "../../../../gen/ostiary/identity/v1/identity_schema_service_pb.js";
export * from "../../../../gen/ostiary/identity/v1/identity_service_pb.js";
export * from "../../../../gen/ostiary/identity/v1/invitation_pb.js";
export * from "../../../../gen/ostiary/identity/v1/invitation_service_pb.js";
export * from "../../../../gen/ostiary/identity/v1/login_record_pb.js";
