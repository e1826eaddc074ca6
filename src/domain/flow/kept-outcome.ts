import type { JsonObject } from "../json.ts";
import type { Sealer } from "../ports.ts";
import type { FlowRecord } from "./flow.ts";
import type { FormProblems } from "./form.ts";

/** What was typed into a form, apart from secrets. */
export interface Typed {
  /** Who signs in, or the address. */
  readonly text?: string | undefined;
  /** A merge patch of the traits. */
  readonly traits?: JsonObject | undefined;
}

/** What the last submit of a flow was answered, as its form shows it. */
export interface KeptOutcome {
  readonly typed: Typed;
  readonly problems: FormProblems;
  /** Whether it stands beside the form's own messages: something has worked. */
  readonly isBeside?: boolean;
}

const purpose = "flow outcome";

/** The most that is kept of one flow, as JSON. Beyond it what was typed is left out. */
const mostLength = 96 * 1024;

/**
 * Seals what a flow keeps of its last submit. The flow and the revision are sealed with it, so that it says nothing in another
 * row, nor once a step was taken.
 */
export function sealOutcome(
  sealer: Sealer,
  { digest, revision }: Pick<FlowRecord, "digest" | "revision">,
  outcome: KeptOutcome,
): string {
  const of = belongsTo({ digest, revision });
  const whole = JSON.stringify({ of, outcome });
  const plain =
    whole.length <= mostLength ? whole : JSON.stringify({ of, outcome: { ...outcome, typed: {} } });
  return sealer.seal(purpose, Buffer.from(plain));
}

/** What a flow keeps of its last submit; undefined if there is nothing, or it can no longer be read. */
export function openOutcome(sealer: Sealer, flow: FlowRecord): KeptOutcome | undefined {
  if (flow.kept === undefined) return undefined;
  const plain = sealer.open(purpose, flow.kept);
  if (plain === undefined) return undefined;
  // Sealed by us, so its form needs no checking.
  const { of, outcome } = JSON.parse(Buffer.from(plain).toString()) as { of: string; outcome: KeptOutcome };
  return of === belongsTo(flow) ? outcome : undefined;
}

function belongsTo({ digest, revision }: Pick<FlowRecord, "digest" | "revision">): string {
  return `${Buffer.from(digest).toString("base64url")}.${revision}`;
}
