import { describe, expect, test } from "vitest";
import { ConfigError } from "../config/problems.ts";
import { domainError } from "../domain/errors.ts";
import { Secret } from "../domain/secret.ts";
import { createLogger, type LogLevelName, LogOutput, withoutTokens } from "./logger.ts";

function linesOf(level: LogLevelName, write: (logger: ReturnType<typeof createLogger>) => void) {
  const lines: string[] = [];
  write(createLogger(level, { write: (line) => lines.push(line) }));
  return lines;
}

const token = `ost_ses_default_${"aB3".repeat(17).slice(0, 49)}`;

describe("the log", () => {
  test("is JSON lines with a time, a level and a message", () => {
    const [line = ""] = linesOf("info", (logger) =>
      logger.info({ port: 4433, at: new Date(0) }, "listening"),
    );
    expect(JSON.parse(line)).toEqual({
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      port: 4433,
      at: "1970-01-01T00:00:00.000Z",
      message: "listening",
    });
    expect(line.endsWith("\n")).toBe(true);
  });

  test("leaves out what is less important than its level", () => {
    const lines = linesOf("warn", (logger) => {
      logger.debug({}, "a");
      logger.info({}, "b");
      logger.warn({}, "c");
      logger.error({}, "d");
    });
    expect(lines.map((line) => JSON.parse(line).message)).toEqual(["c", "d"]);
  });

  test.each<[string, Error, boolean]>([
    ["a mistake of the configuration", new ConfigError(["server.public.port: is no port"]), false],
    ["a file that is not there", Object.assign(new Error("no"), { syscall: "open", path: "/x" }), false],
    ["a database that is away", domainError("DATABASE_UNAVAILABLE", {}), false],
    ["a mistake of ours", new TypeError("x is undefined"), true],
  ])("has of %s the stack only if it helps", (_, error, hasStack) => {
    const [line = ""] = linesOf("info", (logger) => logger.error({ err: error }, "failed"));
    expect("stack" in JSON.parse(line).err).toBe(hasStack);
    expect(JSON.parse(line).err.message).toBe(error.message);
  });

  test("hands each line, as it is written, to the listeners", () => {
    const written: string[] = [];
    const heard: string[] = [];
    const output = new LogOutput({ write: (line) => written.push(line) });
    const logger = createLogger("info", output);
    const stop = output.listen((line) => heard.push(line));
    logger.info({ password: "hunter2" }, `token ${token}`);
    stop();
    logger.info({}, "later");
    expect(written).toHaveLength(2);
    expect(heard).toEqual(written.slice(0, 1));
    expect(heard.join()).not.toMatch(/hunter2|aB3aB3/);
  });

  test("security rule (SR-SECRET-1): a field with a secret's name is not written, however deep", () => {
    const fields = {
      password: "hunter2",
      request: { sessionToken: "hunter2", "set-cookie": ["hunter2"], headers: { Authorization: "hunter2" } },
      list: [{ csrf_token: "hunter2" }],
      code: "123456",
      wrapped: new Secret("hunter2"),
      traits: { email: "hunter2@example.com" },
      userAgent: "kept",
    };
    const [line = ""] = linesOf("info", (logger) => logger.info(fields, "x"));
    expect(line).not.toMatch(/hunter2|123456/);
    expect(line).toContain("kept");
  });

  test("security rule (SR-SECRET-1): of an error only what it says is written, not what a driver knows", () => {
    const driverError = Object.assign(new Error("duplicate key"), {
      code: "23505",
      detail: "Key (value)=(hunter2) already exists.",
      parameters: ["hunter2"],
    });
    const error = new Error("a statement failed", { cause: driverError });
    const [line = ""] = linesOf("error", (logger) => logger.error({ err: error }, "x"));
    expect(line).not.toContain("hunter2");
    expect(JSON.parse(line).err).toMatchObject({
      message: "a statement failed",
      cause: { message: "duplicate key", code: "23505" },
    });
  });

  test("security rule (SR-SECRET-1): tokens and passwords of URLs are cut out of any text", () => {
    const [line = ""] = linesOf("info", (logger) => logger.info({ note: `a ${token}` }, `b ${token}`));
    expect(line).not.toContain(token);
    expect(line).toContain("ost_ses_default_[secret]");
    expect(withoutTokens("postgresql://u:hunter2@h/db")).toBe("postgresql://u:[secret]@h/db");
    expect(withoutTokens("http://127.0.0.1:4433/a@b")).toBe("http://127.0.0.1:4433/a@b");
  });

  test("survives whatever it is given", () => {
    const circle: Record<string, unknown> = { number: 1n, bytes: new Uint8Array(3) };
    circle.self = circle;
    const [line = ""] = linesOf("info", (logger) => logger.info(circle, "x"));
    expect(JSON.parse(line)).toMatchObject({ number: "1", bytes: "[bytes]" });
  });
});
