import type { Client } from "@connectrpc/connect";
import { MethodKind } from "../../gen/ostiary/common/v1/method_kind_pb.js";
import type { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";

/** The id of an identity's password; empty if it has none. */
export async function passwordIdOf(
  client: Client<typeof IdentityService>,
  identityId: string,
): Promise<string> {
  const { credentials } = await client.listCredentials({ identityId });
  return credentials.find(({ kind }) => kind === MethodKind.PASSWORD)?.id ?? "";
}

/** Removes an identity's password, as an operator does. */
export async function deletePassword(client: Client<typeof IdentityService>, identityId: string) {
  return client.deleteCredential({ identityId, credentialId: await passwordIdOf(client, identityId) });
}
