import { expect, test } from "vitest";
import { newId } from "../ids.ts";
import type { Delivery } from "./delivery.ts";
import { reasonFor } from "./reason.ts";

const delivery: Delivery = {
  id: newId(new Date()),
  template: "login_code",
  language: "de",
  recipient: "o'brien+tag@example.com",
  message: {
    channel: "email",
    subject: "Ihr Code (Acme & Söhne): 048213",
    text: "048213",
    html: "<p>048213</p>",
  },
  confidential: ["048213", "https://id.example.com/login?link=ost_lnk_a.b+c&x=1"],
};

// Security rule (SR-MAIL-6): what a server quotes of a message is in no record and no log.
test.each([
  ["550 <o'brien+tag@example.com>: no such user", "550 <[recipient]>: no such user"],
  ["550 <O'BRIEN+TAG@EXAMPLE.COM>: no such user", "550 <[recipient]>: no such user"],
  ["to=o'brien%2Btag%40example.com", "to=[recipient]"],
  ["spam: Ihr Code (Acme & Söhne): 048213", "spam: [subject]"],
  ["spam: Ihr Code (Acme &amp; Söhne): 048213", "spam: [subject]"],
  ["spam: Ihr Code (Ac… 048213.", "spam: Ihr Code (Ac… [code]."],
  ['{"t":"https://id.example.com/login?link=ost_lnk_a.b+c&x=1"}', '{"t":"[code]"}'],
  [encodeURIComponent("https://id.example.com/login?link=ost_lnk_a.b+c&x=1"), "[code]"],
  // A dot of the link is a dot.
  [
    "https://id.example.com/login?link=ost_lnk_aXb+c&x=1",
    "https://id.example.com/login?link=ost_lnk_aXb+c&x=1",
  ],
  ["450 one\r\nBcc: two\u001b[31m\u2028three", "450 one Bcc: two [31m three"],
])("%j is kept as %j (SR-MAIL-6)", (said, kept) => {
  expect(reasonFor(delivery, said)).toBe(kept);
});

test("a reason is cut, and a part of a code at the end of what was read is not kept (SR-MAIL-6)", () => {
  expect(reasonFor(delivery, "x".repeat(1_000))).toHaveLength(300);
  for (let digits = 1; digits <= 6; digits++) {
    const cut = `no ${"048213".slice(0, digits)}`;
    expect(reasonFor(delivery, cut, true)).toBe("");
    expect(reasonFor(delivery, `refused ${"-".repeat(200)}${cut}`, true)).not.toMatch(/\d/);
  }
});
