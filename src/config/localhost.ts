import { isLoopbackAddress } from "../domain/hosts.ts";
import type { CompleteConfig } from "./complete-config.ts";

/** Whether nobody but this machine reaches the server, and nothing says by which name: then it is `localhost`. */
export function isAtLocalhost({ database, server, tenantDefaults }: CompleteConfig): boolean {
  return (
    tenantDefaults.publicUrl === "" && database.url === undefined && isLoopbackAddress(server.public.host)
  );
}
