import { describe, expect, test } from "vitest";
import { ConfigError } from "../config/problems.ts";
import { describeFailure } from "./describe-failure.ts";

const ports = { publicPort: 4433, adminPort: 4434 };
const systemError = (details: object) => Object.assign(new Error("system"), details);

describe("a failure is described in one line", () => {
  test.each<[string, unknown, string]>([
    [
      "a port in use",
      systemError({ code: "EADDRINUSE", syscall: "listen", port: 4434, address: "127.0.0.1" }),
      "port 4434 on 127.0.0.1 (server.admin.port, --admin-port) is already in use: stop what listens there, or choose another port",
    ],
    [
      "a database that is not running, behind two other errors",
      new Error("outer", {
        cause: new AggregateError([systemError({ code: "ECONNREFUSED", address: "127.0.0.1", port: 5432 })]),
      }),
      "the database at 127.0.0.1:5432 refuses connections: is it running? (database.url)",
    ],
    [
      "a host that is not known",
      systemError({ code: "ENOTFOUND", hostname: "db.invalid" }),
      "the database's host db.invalid is not known: check database.url",
    ],
    [
      "a wrong password",
      new Error("a statement failed", { cause: systemError({ code: "28P01" }) }),
      "the database refused the password: check database.url",
    ],
    [
      "a database that is read-only, behind what callers are told",
      new Error("a statement failed", { cause: systemError({ code: "25006" }) }),
      "the database is read-only: is it a standby? Point database.url at the primary",
    ],
    [
      "a database whose disk is full",
      systemError({ code: "53100" }),
      "the database's disk is full: make room there (database.url)",
    ],
    [
      "an unreadable directory",
      systemError({ code: "EACCES", syscall: "mkdir", path: "/srv/x" }),
      "/srv/x: permission denied",
    ],
    [
      "a data directory that says itself what is wrong, not the file in it",
      new Error("The data directory /data cannot be used: permission denied", {
        cause: systemError({ code: "EACCES", syscall: "open", path: "/data/ostiary.lock.6131f1d9.own" }),
      }),
      "The data directory /data cannot be used: permission denied",
    ],
    ["anything else", new Error("line one\nline two"), "line one line two"],
    ["no error at all", "text", "text"],
  ])("%s", (_, error, expected) => {
    expect(describeFailure(error, ports)).toEqual([expected]);
  });

  test("problems of the configuration are a line each", () => {
    expect(describeFailure(new ConfigError(["a", "b"]))).toEqual(["a", "b"]);
  });

  test("security rule (SR-SECRET-1): a connection URL in a message loses its password", () => {
    expect(describeFailure(new Error("no route to postgresql://u:hunter2@h/db")).join()).not.toContain(
      "hunter2",
    );
  });
});
