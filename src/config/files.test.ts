import { expect, test } from "vitest";
import { isOpenToOthers } from "./files.ts";

const server = { platform: "linux" as const, getuid: () => 65532, getgroups: () => [65532] };
const root = { platform: "linux" as const, getuid: () => 0, getgroups: () => [0, 65532] };

test.each([
  ["its own, for itself alone", { mode: 0o100600, uid: 65532, gid: 65532 }, server, false],
  ["root's, for a group of the server", { mode: 0o100440, uid: 0, gid: 65532 }, server, false],
  ["root's, which that group may write", { mode: 0o100660, uid: 0, gid: 65532 }, server, true],
  ["root's, for everybody", { mode: 0o100444, uid: 0, gid: 65532 }, server, true],
  ["root's, for another group", { mode: 0o100440, uid: 0, gid: 1000 }, server, true],
  ["its own, for a group", { mode: 0o100640, uid: 65532, gid: 65532 }, server, true],
  ["of a server that is root, for a group", { mode: 0o100440, uid: 0, gid: 65532 }, root, true],
])("a secret file that is %s", (_, stats, self, isOpen) => {
  expect(isOpenToOthers(stats, self)).toBe(isOpen);
});
