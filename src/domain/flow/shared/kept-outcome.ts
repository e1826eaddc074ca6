import type { FormProblems } from "../../form/form.ts";
import type { JsonObject } from "../../json.ts";
import type { Sealer } from "../../ports.ts";
import type { FlowRecord } from "./flow.ts";

/** The values that were typed into a form, without secrets. */
export interface Typed {
  /** The identifier or address that was typed. */
  readonly text?: string | undefined;
  /** A merge patch of the traits. */
  readonly traits?: JsonObject | undefined;
}

/** The outcome of the last submit of a flow, as its form shows it. */
export interface KeptOutcome {
  readonly typed: Typed;
  readonly problems: FormProblems;
  /** Whether its messages are added to the form's own messages, as after a step that worked. */
  readonly isBeside?: boolean;
}

const purpose = "flow outcome";

/** The greatest length of a kept outcome as JSON. Beyond it the typed values are left out. */
const mostLength = 96 * 1024;

/**
 * Seals the outcome that a flow keeps. The flow and its revision are sealed with it, so that it cannot be read in another row,
 * nor after another step.
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

/** Opens the outcome that a flow keeps; undefined if there is none, or it can no longer be read. */
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
