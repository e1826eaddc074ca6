import { checkSecrets } from "./check-secrets.ts";
import type { CompleteConfig } from "./complete-config.ts";
import { isLoopbackAddress } from "./hosts.ts";
import type { Problem } from "./problems.ts";
import type { ResolvedSecrets } from "./secrets.ts";

/** What works but is insecure: refused outside development mode. */
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
  const problems: Problem[] = [];
  const { public: publicListener, admin } = server;
  // Security rule (SR-CONFIG-1): API keys and identities do not cross a network in plain text unless somebody says so.
  if (!isLoopbackAddress(admin.host) && admin.tls === undefined && !admin.allowPlainTextBeyondLoopback) {
    const message =
      "the admin listener beyond loopback needs server.admin.tls, or server.admin.allow_plain_text_beyond_loopback";
    problems.push({ key: "server.admin.host", message, insecure: true });
  }
  // Security rule (SR-CODE-9): links and cookies follow public_url, which cannot be guessed from an address others connect to.
  if (!isLoopbackAddress(publicListener.host) && tenantDefaults.publicUrl === "") {
    const message = "the public listener beyond loopback needs tenant_defaults.public_url";
    problems.push({ key: "server.public.host", message, insecure: true });
  }
  return problems;
}

function checkPasswords({ tenantDefaults: { password } }: CompleteConfig): Problem[] {
  const problems: Problem[] = [];
  if (password.minLength < 8) {
    // NIST SP 800-63B-4, section 3.1.1.2.
    const message = "must be at least 8";
    problems.push({ key: "tenant_defaults.password.min_length", message, insecure: true });
  }
  const { iterations, memoryKib } = password.argon2;
  const least = owaspMinimum.findLast(([passes]) => passes <= iterations)?.[1] ?? Number.POSITIVE_INFINITY;
  if (memoryKib < least) {
    const equivalents = owaspMinimum.map(([passes, memory]) => `${memory} with ${passes}`).join(", ");
    const message = `must be at least ${least} with ${iterations} iterations (OWASP: ${equivalents})`;
    problems.push({ key: "tenant_defaults.password.argon2.memory_kib", message, insecure: true });
  }
  return problems;
}

function checkSealing({ secrets, database }: CompleteConfig): Problem[] {
  if (secrets.sealing.length > 0 || database.url === undefined) return [];
  const message =
    "must be set with an external database: several servers share it, and nothing that a restart forgets can seal for it";
  return [{ key: "secrets.sealing", message, insecure: true }];
}
