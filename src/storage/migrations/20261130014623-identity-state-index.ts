import { ConcurrentIndex } from "./concurrent-index.ts";

/** Lists the identities of one state without reading those of the others. */
export class IdentityStateIndex extends ConcurrentIndex {
  protected override readonly index = [
    "identity_list_by_state",
    "ostiary.identity (tenant_id, state, created_at DESC, id DESC)",
  ] as const;
}
