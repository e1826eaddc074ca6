import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { register } from "../support/accounts.ts";
import { startTestApp } from "../support/app.ts";
import { isInstalled, outputOf } from "../support/foreign.ts";

const program = "test/foreign/clients/go-tokens";
const installed = await isInstalled("go", ["mod", "download"], { cwd: program });

describe.skipIf(!installed)("go-jose", () => {
  // The time is that of the first run on a machine.
  test.each(["es256", "eddsa"])(
    "verifies tokens of a server with %s by its published keys",
    {
      timeout: 300_000,
    },
    async (algorithm) => {
      const tokens = { audiences: ["https://api.example.com", "other"], algorithm };
      const app = await startTestApp({ config: { tenant_defaults: { session: { tokens } } } });
      const folder = await mkdtemp(join(tmpdir(), "ostiary-go-tokens-"));
      try {
        await cp(program, folder, { recursive: true });
        const options = { cwd: folder, timeoutMs: 250_000 };
        await outputOf("go", ["build", "-trimpath", "-o", "tokens", "."], options);
        const { session, sessionToken: bearer } = await register(app);
        const holder = app.client(SessionService, { bearer });
        const { token } = await holder.issueToken({});
        const { token: elsewhere } = await holder.issueToken({ audience: "other" });
        const [header = "", , signature = ""] = token.split(".");
        const changed = `${header}.${elsewhere.split(".")[1]}.${signature}`;
        const now = Math.floor(app.clock.now().getTime() / 1000);
        const check = (at: number, ...texts: string[]) =>
          outputOf(
            "./tokens",
            [
              ...[
                `${app.localUrl}/.well-known/jwks.json`,
                app.publicUrl,
                "https://api.example.com",
                String(at),
              ],
              ...texts,
            ],
            options,
          );
        expect((await check(now, token, elsewhere, changed)).split("\n")).toEqual([
          `${session?.identityId} ${session?.id} aal1 [pwd]`,
          "refused",
          "refused",
        ]);
        expect(await check(now + 310, token)).toBe("refused");
      } finally {
        await rm(folder, { recursive: true });
        await app.stop();
      }
    },
  );
});
