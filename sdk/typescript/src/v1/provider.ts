// SPDX-License-Identifier: Apache-2.0
// The generated types of `ostiary.provider.v1`: other providers that people sign in with.
export * from "../../../../gen/ostiary/provider/v1/provider_admin_service_pb.js";
export * from "../../../../gen/ostiary/provider/v1/provider_pb.js";
