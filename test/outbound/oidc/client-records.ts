import { inspect } from "node:util";
import type { Logger } from "../../../src/domain/ports.ts";
import type { ProviderAnswer, ProviderFailure } from "../../../src/domain/provider/provider.ts";

/** A logger that keeps its lines, and whatever failures say beside them: what must name no secret. */
export class LogRecord {
  readonly lines: string[] = [];
  readonly logger: Logger;

  constructor() {
    const write = (fields: object, message: string) => {
      this.lines.push(`${message} ${inspect(fields, { depth: 10 })}`);
    };
    this.logger = { debug: write, info: write, warn: write, error: write };
  }

  /** Keeps what a failure says, and hands it on. */
  keep<T extends { readonly kind: string }>(result: T | ProviderFailure): T | ProviderFailure {
    if (result.kind === "failed") this.lines.push(inspect(result, { depth: 10 }));
    return result;
  }
}

/** The answer; throws where there is none. */
export function answered(answer: ProviderAnswer | ProviderFailure): ProviderAnswer {
  if (answer.kind === "failed") throw new Error(`${answer.problem}: ${answer.detail}`);
  return answer;
}
