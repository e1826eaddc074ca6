import { PasskeyUse, RegistrationMode, SecondFactorPolicy } from "../../gen/ostiary/config/v1/config_pb.js";
import { isAddress } from "../domain/hosts.ts";
import { rpIdOf } from "../domain/method/passkey/origins.ts";
import { courierModeOf } from "./check-courier.ts";
import type { CompleteConfig } from "./complete-config.ts";
import { type Problem, problemIf } from "./problems.ts";

/**
 * Ways to sign in, register and recover.
 *
 * Security rule (SR-ROLE-1): a configuration without any is refused, before anybody stands before a form without a way on.
 */
export function checkMethods(config: CompleteConfig): Problem[] {
  const { flows } = config.tenantDefaults;
  const some = "nobody could %: switch on password, passkey (as first factor), code or link";
  const isOpen = flows.registration.mode !== RegistrationMode.CLOSED;
  return [
    ...problemIf(
      !isPossible(config, "login"),
      "tenant_defaults.password.enabled",
      some.replace("%", "sign in"),
    ),
    ...problemIf(
      isOpen && !isPossible(config, "registration"),
      "tenant_defaults.flows.registration.mode",
      `${some.replace("%", "register")}; or set it to closed`,
    ),
    ...problemIf(
      flows.recovery.enabled === true && !canSetSecret(config),
      "tenant_defaults.flows.recovery.enabled",
      "ends with a new password or passkey: switch one of them on as first factor",
    ),
    // A policy that nobody can meet would keep everybody out.
    ...problemIf(
      config.tenantDefaults.secondFactor.policy === SecondFactorPolicy.REQUIRED &&
        !canSetSecondFactor(config),
      "tenant_defaults.second_factor.policy",
      "cannot be met: switch on totp or sms_factor, or passkey (as second factor) with a public_url that has a domain",
    ),
  ];
}

function canSetSecondFactor({ tenantDefaults }: CompleteConfig): boolean {
  const { totp, smsFactor, passkey } = tenantDefaults;
  return (
    totp.enabled || smsFactor.enabled || (makesPasskeys(tenantDefaults) && passkey.useAs !== PasskeyUse.FIRST)
  );
}

function makesPasskeys({ passkey, publicUrl }: CompleteConfig["tenantDefaults"]): boolean {
  // Without a public URL the server is at an IP address, for which browsers make no passkeys.
  const rpId = rpIdOf(passkey.rpId, publicUrl);
  return passkey.enabled && rpId !== "" && !isAddress(rpId);
}

/** Whether there is a secret to set that signs in, as after a recovery. */
export function canSetSecret({ tenantDefaults }: CompleteConfig): boolean {
  const { password, passkey } = tenantDefaults;
  return password.enabled || (makesPasskeys(tenantDefaults) && passkey.useAs !== PasskeyUse.SECOND);
}

function isPossible(config: CompleteConfig, flow: "login" | "registration"): boolean {
  const { code, link } = config.tenantDefaults;
  const canSend = courierModeOf(config) !== "none";
  return canSetSecret(config) || (code[flow] ?? canSend) || link.enabled;
}
