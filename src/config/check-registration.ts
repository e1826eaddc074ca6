import { AddressProof, RegistrationMode } from "../../gen/ostiary/config/v1/config_pb.js";
import { isLoopbackHost } from "../domain/hosts.ts";
import type { CompleteConfig } from "./complete-config.ts";
import type { Problem } from "./problems.ts";

/** Warns of a registration that is open to strangers. */
export function checkOpenRegistration({ tenantDefaults }: CompleteConfig): Problem[] {
  const { publicUrl, flows } = tenantDefaults;
  const { mode, addressProof } = flows.registration;
  const isOpen = mode === RegistrationMode.OPEN && addressProof !== AddressProof.BEFORE_SESSION;
  if (!isOpen || publicUrl === "" || isLoopbackHost(new URL(publicUrl).hostname)) return [];
  const message =
    "is not before_session, while anybody can register: people can make accounts for addresses of others, " +
    "whose owners must end what was set up there";
  return [{ key: "tenant_defaults.flows.registration.address_proof", message }];
}
