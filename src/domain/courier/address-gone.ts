/**
 * Whether an enhanced status code says for good that there is no such mailbox, host or account, or none that takes mail (RFC 3463, sections
 * 3.2 and 3.3; RFC 7505). A full mailbox, a policy and everything about us, the sender, may be over tomorrow.
 */
export function saysAddressIsGone(status: string): boolean {
  return /^5\.(1\.(0|1|2|3|6|10)|2\.1)$/.test(status);
}
