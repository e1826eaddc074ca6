import { isLoopbackAddress } from "../domain/hosts.ts";
import { checkSecrets } from "./check-secrets.ts";
import type { CompleteConfig } from "./complete-config.ts";
import { type Problem, problemIf } from "./problems.ts";
import type { ResolvedSecrets } from "./secrets.ts";

/** Insecure settings: refused outside development mode. */
export function checkSecurity(config: CompleteConfig, secrets: ResolvedSecrets): Problem[] {
  return [
    ...checkListeners(config),
    ...checkPasswords(config),
    ...checkSealing(config),
    ...checkSecrets(secrets, config.database),
  ];
}

/**
 * The least memory (KiB) for a number of passes that OWASP's Password Storage Cheat Sheet takes as equally strong,
 * with one lane. More passes than five need no less.
 */
const owaspMinimum: readonly (readonly [iterations: number, memoryKib: number])[] = [
  [1, 47_104],
  [2, 19_456],
  [3, 12_288],
  [4, 9216],
  [5, 7168],
];

function checkListeners({ server, tenantDefaults }: CompleteConfig): Problem[] {
  const { public: publicListener, admin } = server;
  const isPlain = admin.tls === undefined && !admin.allowPlainTextBeyondLoopback;
  return [
    // Security rule (SR-CONFIG-1): API keys and identities do not cross a network in plain text unless the operator allows it.
    ...problemIf(
      !isLoopbackAddress(admin.host) && isPlain,
      "server.admin.host",
      "the admin listener beyond loopback needs server.admin.tls, or server.admin.allow_plain_text_beyond_loopback",
      { insecure: true },
    ),
    // Security rule (SR-CODE-9): links and cookies follow public_url, which cannot be guessed from an address others connect to.
    ...problemIf(
      !isLoopbackAddress(publicListener.host) && tenantDefaults.publicUrl === "",
      "server.public.host",
      "the public listener beyond loopback needs tenant_defaults.public_url",
      { insecure: true },
    ),
  ];
}

function checkPasswords({ tenantDefaults: { password } }: CompleteConfig): Problem[] {
  const prefix = "tenant_defaults.password";
  const { iterations, memoryKib } = password.argon2;
  const least = owaspMinimum.findLast(([passes]) => passes <= iterations)?.[1] ?? Number.POSITIVE_INFINITY;
  const equivalents = owaspMinimum.map(([passes, memory]) => `${memory} with ${passes}`).join(", ");
  const weak = `must be at least ${least} with ${iterations} iterations (OWASP: ${equivalents})`;
  return [
    // NIST SP 800-63B-4, section 3.1.1.2.
    ...problemIf(password.minLength < 8, `${prefix}.min_length`, "must be at least 8", { insecure: true }),
    ...problemIf(memoryKib < least, `${prefix}.argon2.memory_kib`, weak, { insecure: true }),
  ];
}

function checkSealing({ secrets, database }: CompleteConfig): Problem[] {
  const isMissing = secrets.sealing.length === 0 && database.url !== undefined;
  const message =
    "must be set with an external database: several servers share it, and nothing that a restart forgets can seal for it";
  return problemIf(isMissing, "secrets.sealing", message, { insecure: true });
}
