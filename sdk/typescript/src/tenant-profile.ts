// SPDX-License-Identifier: Apache-2.0
import type { TenantProfile } from "../../../gen/ostiary/flow/v1/tenant_profile_pb.js";
import type { Ostiary } from "./client.ts";

/**
 * Returns what a page has to know before it begins a flow: who can register, which methods there are, what the service is
 * called and looks like. The answer is the same for everybody. The call is a GET, so a browser caches the answer for as long as
 * the server says.
 */
export async function getTenantProfile(ostiary: Pick<Ostiary, "flows">): Promise<TenantProfile> {
  const { profile } = await ostiary.flows.getTenantProfile({});
  if (profile === undefined) throw new Error("the server answered without a profile");
  return profile;
}
