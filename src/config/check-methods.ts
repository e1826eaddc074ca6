import { durationMs } from "@bufbuild/protobuf/wkt";
import { PasskeyUse, RegistrationMode, SecondFactorPolicy } from "../../gen/ostiary/config/v1/config_pb.js";
import { isAddress } from "../domain/hosts.ts";
import { rpIdOf } from "../domain/method/passkey/origins.ts";
import { courierModeOf } from "./check-courier.ts";
import type { CompleteConfig } from "./complete-config.ts";
import { isAtLocalhost } from "./localhost.ts";
import { type Problem, problemIf } from "./problems.ts";

/**
 * Ways to sign in, register and recover.
 *
 * Security rule (SR-ROLE-1): a configuration without any is refused, before anybody stands before a form without a way on.
 */
export function checkMethods(config: CompleteConfig): Problem[] {
  const { flows } = config.tenantDefaults;
  const some =
    "nobody could %: switch on password, passkey (as first factor), code or link, or configure a provider in tenant_defaults.oidc";
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
    ...checkHold(config),
    // A policy that nobody can meet would keep everybody out.
    ...problemIf(
      config.tenantDefaults.secondFactor.policy === SecondFactorPolicy.REQUIRED &&
        !canSetSecondFactor(config),
      "tenant_defaults.second_factor.policy",
      "cannot be met: switch on totp or sms_factor, or passkey (as second factor) with a public_url that has a domain",
    ),
  ];
}

/**
 * Recoveries that wait. Security rule (SR-HOLD-5): they protect nothing where the reader of the mailbox signs in by a code or link, so that
 * is refused rather than believed.
 */
function checkHold(config: CompleteConfig): Problem[] {
  const { flows, code, link } = config.tenantDefaults;
  if (durationMs(flows.recovery.hold) === 0 || flows.recovery.enabled === false) return [];
  const says = (what: string, key: string) =>
    `protects nothing where ${what} signs in as well: set tenant_defaults.${key}: false, or hold: 0s`;
  const byCode =
    code.login === undefined
      ? "a code to the address (by default, where messages can be sent)"
      : "a code to the address";
  const key = "tenant_defaults.flows.recovery.hold";
  return [
    ...problemIf(code.login ?? courierModeOf(config) !== "none", key, says(byCode, "code.login")),
    ...problemIf(link.enabled && link.login, key, says("a link to the address", "link.login")),
  ];
}

function canSetSecondFactor(config: CompleteConfig): boolean {
  const { totp, smsFactor, passkey } = config.tenantDefaults;
  return totp.enabled || smsFactor.enabled || (makesPasskeys(config) && passkey.useAs !== PasskeyUse.FIRST);
}

function makesPasskeys(config: CompleteConfig): boolean {
  const { passkey, publicUrl } = config.tenantDefaults;
  // Browsers make none for an IP address, at which a server without a public URL is reached from elsewhere.
  const rpId = rpIdOf(passkey.rpId, isAtLocalhost(config) ? "http://localhost" : publicUrl);
  return passkey.enabled && rpId !== "" && !isAddress(rpId);
}

/** Whether there is a secret to set that signs in, as after a recovery. */
export function canSetSecret(config: CompleteConfig): boolean {
  const { password, passkey } = config.tenantDefaults;
  return password.enabled || (makesPasskeys(config) && passkey.useAs !== PasskeyUse.SECOND);
}

function isPossible(config: CompleteConfig, flow: "login" | "registration"): boolean {
  const { code, link, oidc } = config.tenantDefaults;
  const canSend = courierModeOf(config) !== "none";
  return (
    canSetSecret(config) ||
    oidc.providers.length > 0 ||
    (code[flow] ?? canSend) ||
    (link.enabled && (flow !== "login" || link.login))
  );
}
