import { submit } from "@ostiary/sdk";
import { type FlowName, keepTyped, type SubmittedForm, translator } from "@ostiary/sdk/form";
import { FlowForm } from "@ostiary/sdk/react";
import type { Flow } from "@ostiary/sdk/v1/flow";
import { type JSX, useEffect, useRef, useState } from "react";
import { describeError } from "../describe-error.ts";
import { useWords } from "../language/index.ts";
import { keepFlowId, navigate } from "../navigation.ts";
import { ostiary } from "../ostiary.ts";
import { Failure } from "./failure.tsx";
import { freshFlow, isFlowGone, openFlow } from "./open-flow.ts";
import { Page } from "./page.tsx";
import { PageLink } from "./page-link.tsx";

/** Any flow: its form is drawn from what the server sends, whatever that is. */
export function FlowPage({ name }: { readonly name: FlowName }): JSX.Element {
  const words = useWords();
  const heading = useRef<HTMLHeadingElement>(null);
  const { stage, draw, retry } = useFlow(name);

  const onSubmit = async ({ flow, data, step }: SubmittedForm) => {
    try {
      const outcome = await submit(ostiary, flow, data, step);
      switch (outcome.kind) {
        case "completed":
          return goOn(outcome.completed.returnTo);
        case "rejected":
          return draw(outcome.flow, false);
        case "expired":
          return draw(outcome.flow, true);
        default: {
          const unreachable: never = outcome;
          return unreachable;
        }
      }
    } catch (error) {
      if (!isFlowGone(error)) throw error;
      // Completed in another tab, or the cookies are gone: a fresh flow goes on with what was typed.
      draw(keepTyped(await freshFlow(name), data), true);
    }
  };

  return (
    <Page title={words[name].title} heading={heading}>
      {stage.kind === "failed" ? <Failure error={stage.error} retry={retry} /> : null}
      {stage.kind === "flow" ? (
        <FlowForm
          flow={stage.flow}
          onSubmit={onSubmit}
          translate={translator(words.messages)}
          texts={words.form}
          describeError={(error) => describeError(error, words)}
          notice={stage.replaced ? { id: 0, kind: "error", text: words.form.expired } : undefined}
          heading={heading}
        />
      ) : null}
      {stage.kind === "loading" ? null : (
        <p className="aside">
          {words[name].other}{" "}
          <PageLink to={name === "login" ? "registration" : "login"}>{words[name].link}</PageLink>
        </p>
      )}
    </Page>
  );
}

type Stage =
  | { readonly kind: "loading" }
  | { readonly kind: "failed"; readonly error: unknown }
  /** `replaced`: in the place of one that could not be used any more. */
  | { readonly kind: "flow"; readonly flow: Flow; readonly replaced: boolean };

function useFlow(name: FlowName) {
  const [stage, setStage] = useState<Stage>({ kind: "loading" });
  const [attempt, setAttempt] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt opens a flow again
  useEffect(() => {
    let left = false;
    const show = (next: Stage) => {
      if (!left) setStage(next);
    };
    openFlow(name).then(
      (flow) => show({ kind: "flow", flow, replaced: false }),
      (error: unknown) => show({ kind: "failed", error }),
    );
    return () => {
      left = true;
    };
  }, [name, attempt]);
  return {
    stage,
    draw: (flow: Flow, replaced: boolean) => {
      keepFlowId(flow.id);
      setStage({ kind: "flow", flow, replaced });
    },
    retry: () => setAttempt(attempt + 1),
  };
}

/** To where the flow was begun for; the server has compared the address with its list. */
function goOn(returnTo: string): void {
  if (returnTo === "") navigate("sessions");
  else window.location.assign(returnTo);
}
