// SPDX-License-Identifier: Apache-2.0
import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { isStartedByAllowedPage } from "./origin.ts";
import type { RequestHead } from "./request-head.ts";

/**
 * Whether a call may be made for the user of a request, by what the call does.
 *
 * Security rule (SR-SDK-7): an app whose GET handler calls Logout or submits a flow would let any page do it to its visitors by a
 * link or a picture. So what changes something needs a page that may, whatever the method of the app's request.
 */
export function mayAct(head: RequestHead, allowedOrigins: ReadonlySet<string>, method: DescMethod): boolean {
  return !changesSomething(method) || isStartedByAllowedPage(head, allowedOrigins);
}

/**
 * The contract's idempotency level decides, except for calls that a page makes in order to be drawn, because any site may link
 * to such a page. These are safe too: a new flow changes nobody's data before it is submitted, and a token changes nothing at
 * all. Reading a flow and checking a session are not marked as free of side effects only because their requests hold a secret,
 * which must not be in a URL.
 */
export function changesSomething(method: DescMethod): boolean {
  if (method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) return false;
  return !/^(?:Create|Get)\w*Flow$|^(?:CheckSession|IssueToken)$/.test(method.name);
}
