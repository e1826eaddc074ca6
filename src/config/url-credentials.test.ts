import { describe, expect, test } from "vitest";
import { readDatabaseUrl } from "./database-url.ts";
import { readSmtpUrl } from "./smtp-server.ts";

/** What is said of a URL with this user and password; undefined if it is taken. */
const readers: Record<string, (userInfo: string) => string | undefined> = {
  smtp: (userInfo) => {
    const read = readSmtpUrl(`smtps://${userInfo}@mail.example.com:465`, "url");
    return read.kind === "server" ? undefined : read.problems[0]?.message;
  },
  database: (userInfo) => {
    const read = readDatabaseUrl(`postgresql://${userInfo}@db.example.com:5432/ostiary?sslmode=verify-full`);
    return read.kind === "url" ? undefined : read.message;
  },
};

/** @see ory/kratos#1718, firebase/extensions#992: passwords with such characters ended the process or were cut. */
describe.each(Object.entries(readers))("user and password in the URL of %s", (_, read) => {
  test.each([
    ["user:100%sure", "% as %25"],
    ["user:50%", "% as %25"],
    ["user:a%2", "% as %25"],
    ["AKIA:BEV0/Vz+1F/x", "/ as %2F"],
    ["user:/begins", "/ as %2F"],
    ["user:pa#ss", "# as %23"],
    ["user:pa?ss", "? as %3F"],
    ["user:pa?sslmode=x", "? as %3F"],
    ["user:p@ss", "@ as %40"],
    ["relay@relay.example.com:pw", "@ as %40"],
    ["us/er:hunter2", "/ as %2F"],
    ["user:p/a#s?s@w%rd", "% as %25, / as %2F, # as %23, ? as %3F, @ as %40"],
    ["user:%ff%fe", "not UTF-8"],
    ["user:pass\nword", "line breaks"],
  ])("%j is refused with what to write", (userInfo, remedy) => {
    expect(read(userInfo)).toContain(remedy);
    for (const part of userInfo.split(/[^A-Za-z0-9]+/).filter((each) => each.length > 3 && each !== "user")) {
      expect(read(userInfo)?.replace("must be a URL such as", "")).not.toContain(` ${part}`);
    }
  });

  test.each([
    "user:p+w",
    "user:100%25sure",
    "user:a%2Fb%23c%3Fd%40e",
    "user:pa:ss",
    "user:p&=;$!*'()",
    "user:grü%C3%9F",
  ])("%s is taken", (userInfo) => {
    expect(read(userInfo)).toBeUndefined();
  });
});

describe("the URL of an SMTP server", () => {
  test.each<[string, object]>([
    ["smtp://mail.example.com", { host: "mail.example.com", port: 587, implicitTls: false }],
    ["smtps://mail.example.com/", { host: "mail.example.com", port: 465, implicitTls: true }],
    ["SMTPS://mail_server:2465", { host: "mail_server", port: 2465, implicitTls: true }],
    ["smtp://[::1]:25", { host: "::1", port: 25, implicitTls: false }],
    ["smtp://post.exämple.com", { host: "post.xn--exmple-cua.com", port: 587, implicitTls: false }],
  ])("%s", (url, server) => {
    expect(readSmtpUrl(url, "url")).toEqual({ kind: "server", server: { ...server, login: undefined } });
  });

  test.each([
    ["mail.example.com:25", "must be a URL"],
    ["http://mail.example.com", "must be a URL"],
    ["smtp://", "must be a URL"],
    ["smtp://mail.example.com/path", "must be a URL"],
    ["smtp://mail.example.com?pool=true", "must be a URL"],
    ["smtp://mail.example.com:0", "port 0"],
    ["smtp://mail.example.com:99999", "must be a URL"],
    ["smtp://user@mail.example.com", "both a user and a password"],
    ["smtp://:pw@mail.example.com", "both a user and a password"],
  ])("%s is refused", (url, message) => {
    const read = readSmtpUrl(url, "smtp.url");
    expect(read).toEqual({
      kind: "wrong",
      problems: [{ key: "smtp.url", message: expect.stringContaining(message) }],
    });
  });
});
