import { ConcurrentIndex } from "./concurrent-index.ts";

/** Finds all events of an identity; before, those of its login history alone. */
export class EventOfIdentity extends ConcurrentIndex {
  protected override readonly index = [
    "event_of_identity",
    "ostiary.event (tenant_id, identity_id, created_at DESC, id DESC) WHERE identity_id IS NOT NULL",
  ] as const;
}
