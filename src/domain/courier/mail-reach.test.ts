import { expect, test } from "vitest";
import { MailReach, type MailReachMode } from "./mail-reach.ts";

const ascii = ["ada@example.com", "ada@münchen.de", "ada@xn--mnchen-3ya.de", "o'brien+x@example.com"];
const beyond = ["tëst@example.com", "пример@кц.рф", "田中@example.jp"];

test.each<[MailReachMode, heard: boolean | undefined, reaches: boolean]>([
  ["auto", undefined, true],
  ["auto", true, true],
  ["auto", false, false],
  ["yes", undefined, true],
  // The operator knows better than the server's last word, a load balancer for example.
  ["yes", false, true],
  ["no", undefined, false],
  ["no", true, false],
])(
  "%s, and the server said %s: letters beyond ASCII before the @ are reached: %s",
  (mode, heard, reaches) => {
    const reach = new MailReach(mode);
    if (heard !== undefined) reach.heard(heard);
    for (const address of ascii) expect(reach.reaches(address)).toBe(true);
    for (const address of beyond) expect(reach.reaches(address)).toBe(reaches);
  },
);

test("what the server said last counts", () => {
  const reach = new MailReach("auto");
  reach.heard(false);
  reach.heard(true);
  expect(reach.reaches("tëst@example.com")).toBe(true);
});
