import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import type { TestApp } from "./app.ts";

/**
 * Waits until a server has written the attempts that failed: it does so before it lists a login history. With `afterMinute` the clock
 * goes on, and those for names that nobody has are written as well.
 */
export async function attemptsWritten(
  app: TestApp,
  identityId: string | undefined,
  {
    afterMinute = false,
    apiKey = app.apiKey,
  }: { readonly afterMinute?: boolean; readonly apiKey?: string } = {},
): Promise<void> {
  if (afterMinute) app.clock.advance(60_000);
  await app.client(IdentityService, { bearer: apiKey }).listLoginHistory({ identityId });
}
