import { submit } from "@ostiary/sdk";
import { createFlow } from "@ostiary/sdk/form";
import { ClientKind } from "@ostiary/sdk/v1/flow";
import { type JSX, useState } from "react";
import { useWords } from "../language/index.ts";
import { say } from "../navigation.ts";
import { ostiary } from "../ostiary.ts";
import { goToLogin, isSignedOut } from "../signed-out.ts";
import { useVisit } from "../visitor.ts";
import { Failure } from "./failure.tsx";

/** What the owner of an account that will be deleted can do about it: keep it, or leave it so. */
export function DeletionChoice({
  leave,
  kept = () => say("kept"),
}: {
  readonly leave: () => void;
  readonly kept?: () => void;
}): JSX.Element {
  const { marked } = useWords();
  const { look } = useVisit();
  const [failure, setFailure] = useState<unknown>();
  const keep = async () => {
    setFailure(undefined);
    try {
      const flow = await createFlow(ostiary, "settings", { client: ClientKind.BROWSER });
      await submit(ostiary, flow, new FormData(), "keepAccount");
      await look();
      kept();
    } catch (error) {
      if (isSignedOut(error)) goToLogin(error);
      else setFailure(error);
    }
  };
  if (failure !== undefined) return <Failure error={failure} retry={() => void keep()} />;
  return (
    <div className="row">
      <button type="button" className="ostiary-button" data-importance="primary" onClick={() => void keep()}>
        {marked.keep}
      </button>
      <button type="button" className="ostiary-button" data-importance="secondary" onClick={leave}>
        {marked.leave}
      </button>
    </div>
  );
}
