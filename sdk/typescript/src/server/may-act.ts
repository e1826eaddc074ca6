// SPDX-License-Identifier: Apache-2.0
import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { isStartedByAllowedPage } from "./origin.ts";
import type { RequestHead } from "./request-head.ts";

/**
 * Whether a call may be made for the user of a request, by what the call does.
 *
 * Security rule: an app whose GET handler calls Logout or submits a flow would let any page do it to its visitors by a
 * link or a picture. So what changes something needs a page that may, whatever the method of the app's request.
 */
export function mayAct(head: RequestHead, allowedOrigins: ReadonlySet<string>, method: DescMethod): boolean {
  return !changesSomething(method) || isStartedByAllowedPage(head, allowedOrigins);
}

/**
 * By the contract's own idempotency level, but for the calls that a page makes to be drawn, to which any site may link: a new
 * flow changes nothing of anybody's before it is submitted, a token changes nothing at all, and reading a flow or checking a
 * session is no call without side effects only because its request holds a secret, which must not be in a URL.
 */
export function changesSomething(method: DescMethod): boolean {
  if (method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) return false;
  return !/^(?:Create|Get)\w*Flow$|^(?:CheckSession|IssueToken)$/.test(method.name);
}
