import { type SubmitOutcome, submit, textOf } from "@ostiary/sdk";
import {
  type FlowName,
  fillIn,
  keepTyped,
  lastUsedMethod,
  leavePage,
  rememberMethod,
  type SubmittedForm,
  translator,
  viewMessage,
} from "@ostiary/sdk/form";
import { FlowForm } from "@ostiary/sdk/react";
import type { ContinueWith, Flow, FormMessage } from "@ostiary/sdk/v1/flow";
import { type JSX, useEffect, useRef, useState } from "react";
import { describeError } from "../describe-error.ts";
import { useWords } from "../language/index.ts";
import {
  clearFragment,
  isReplacement,
  isResumed,
  keepFlowId,
  navigate,
  navigateToReplacement,
  navigateToResume,
  signedOutBy,
} from "../navigation.ts";
import { ostiary } from "../ostiary.ts";
import type { Route } from "../routes.ts";
import { DeletionNotice } from "./deletion-notice.tsx";
import { goToLogin, isSignedOut } from "./entry-page.tsx";
import { Failure } from "./failure.tsx";
import { FlowFrame } from "./flow-frame.tsx";
import { Loading } from "./loading.tsx";
import { LoginLinks } from "./login-links.tsx";
import { freshFlow, isFlowGone, openFlow, pageOf } from "./open-flow.ts";
import { PageLink } from "./page-link.tsx";
import { isOffer, isOfferWanted, putOff } from "./passkey-offer.ts";
import { useQuestion } from "./question.tsx";
import { rememberWaiting, takeWaiting } from "./waiting-flow.ts";

/** A flow of any kind: its form is drawn from what the server sends. */
export function FlowPage({ name }: { readonly name: FlowName }): JSX.Element {
  const words = useWords();
  const heading = useRef<HTMLHeadingElement>(null);
  const { stage, draw, end, retry } = useFlow(name);
  const question = useQuestion();
  // The flow that waits for a login, while that is drawn in its place.
  const waiting = useRef<Flow>(undefined);
  // As it was when the page was opened: nothing moves while somebody signs in.
  const [lastUsed] = useState(lastUsedMethod);
  // Read once: opening the flow replaces the entry of the history that says it.
  const [signedOut] = useState(signedOutBy);

  const follow = async (outcome: SubmitOutcome, submitted: Flow): Promise<void> => {
    // The address keeps the flow that waits: loading the page anew asks for the login again.
    const keep = (flow: Flow) => waiting.current ?? flow;
    switch (outcome.kind) {
      case "completed": {
        const { current } = waiting;
        const { purgeTime, returnTo, continueWith } = outcome.completed;
        if (purgeTime !== undefined) return end(new Date(Number(purgeTime.seconds) * 1000), returnTo);
        if (current === undefined) {
          const away = takeWaiting(submitted);
          if (away !== undefined) return navigateToResume(away.page, away.flowId);
        }
        if (current === undefined && submitted.oauth2LoginRequest !== undefined) {
          const handOver = handOverIn(continueWith);
          if (handOver !== undefined) return draw(handOver);
          // The application waits; an address is verified later.
          return window.location.assign(returnTo);
        }
        if (current === undefined) return goOn(returnTo, continueWith);
        waiting.current = undefined;
        return follow(await submit(ostiary, current, new FormData(), "resume"), current);
      }
      case "next_step": {
        // What a provider vouches for may go on as another kind: a login as a registration, and the other way round.
        const page = pageOf(outcome.flow.kind);
        if (outcome.flow.kind !== submitted.kind && page !== undefined)
          return navigate(page, outcome.flow.id);
        return draw(outcome.flow, undefined, keep(outcome.flow));
      }
      case "rejected":
      case "saved":
        return draw(outcome.flow, undefined, keep(outcome.flow));
      case "login_required":
        waiting.current = outcome.waitingFlow;
        return draw(outcome.flow, undefined, keep(outcome.flow));
      case "redirect":
        if (waiting.current !== undefined) rememberWaiting(name, waiting.current, outcome.flow);
        return leavePage(outcome);
      case "expired": {
        const page = pageOf(outcome.flow.kind);
        // A recovery begins again on its own page.
        if (outcome.flow.kind === submitted.kind || page === undefined) {
          return draw(outcome.flow, "replaced", keep(outcome.flow));
        }
        return navigateToReplacement(page, outcome.flow.id);
      }
      default:
        return outcome satisfies never;
    }
  };

  const onSubmit = async ({ flow, data, step }: SubmittedForm) => {
    try {
      const outcome = await submit(ostiary, flow, data, step);
      // A login that only confirms who is signed in is not what they sign in with.
      if (waiting.current === undefined) rememberMethod({ flow, step }, outcome);
      await follow(outcome, flow);
    } catch (error) {
      if (isSignedOut(error)) return goToLogin(error);
      if (!isFlowGone(error)) throw error;
      // Completed in another tab, or the cookies are gone: a fresh flow goes on with what was typed. Security rule (SR-FLOW-3): not if
      // somebody else has signed in meanwhile; what was typed for one account is not filled in for another one.
      const former = waiting.current ?? flow;
      waiting.current = undefined;
      const fresh = await freshFlow(name);
      const isSame = fresh.account?.identityId === former.account?.identityId;
      draw(keepTyped(fresh, data, flow), isSame ? "replaced" : "another account");
    }
  };
  // The drawing that the login began in is gone, so what waits is carried out by itself, once.
  const resume = useRef<(flow: Flow) => void>(undefined);
  resume.current = (flow) =>
    void onSubmit({ flow, data: new FormData(), step: "resume" }).catch(() => draw(flow));
  useEffect(() => {
    if (stage.kind === "resuming") resume.current?.(stage.flow);
  }, [stage]);
  const shown = stage.kind === "flow" ? stage.flow : undefined;
  const said = { translate: translator(words.messages), language: words.tag };
  const sentence = (message: FormMessage | undefined) => message && viewMessage(message, said).text;
  const account = (waiting.current ?? shown)?.account?.displayName;
  const whose = sentence((waiting.current ?? shown)?.form?.account);
  // The handing over has a sentence of its own.
  const request = shown?.stage.case === "handOver" ? undefined : shown?.oauth2LoginRequest;
  const application = request?.clientName ?? "";
  const notices = {
    replaced: words.form.expired,
    "another account": fillIn(words.account.another, { name: account ?? "" }) ?? words.account.another,
  };
  const notice =
    stage.kind === "flow" && stage.notice
      ? notices[stage.notice]
      : signedOut && translator(words.messages)({ id: signedOut, text: "" });

  return (
    <FlowFrame
      page={name}
      shown={shown}
      waiting={waiting.current}
      options={said}
      title={sentence(shown?.form?.title) ?? words[name].title}
      heading={heading}
    >
      {stage.kind === "loading" || stage.kind === "resuming" ? <Loading /> : null}
      {question.drawn}
      {stage.kind === "deleted" ? <DeletionNotice {...stage} /> : null}
      {stage.kind === "failed" ? <Failure error={stage.error} retry={retry} /> : null}
      {shown?.form?.subtitle === undefined ? null : <p className="quiet">{sentence(shown.form.subtitle)}</p>}
      {application === "" ? null : (
        <p className="quiet">{fillIn(words.forApplication, { name: application })}</p>
      )}
      {whose === undefined ? null : <p className="quiet whose">{whose}</p>}
      {stage.kind === "flow" ? (
        <FlowForm
          flow={stage.flow}
          onSubmit={onSubmit}
          {...said}
          confirm={question.ask}
          lastUsedMethod={lastUsed}
          username={waiting.current && usernameIn(waiting.current)}
          texts={words.form}
          describeError={(error) => describeError(error, words)}
          notice={notice === undefined ? undefined : { id: 0, kind: "error", text: notice }}
          heading={heading}
        />
      ) : null}
      {stage.kind === "loading" || stage.kind === "resuming" || stage.kind === "deleted" ? null : name ===
        "login" ? (
        <LoginLinks isOwned={shown !== undefined && !asksWho(shown)} />
      ) : shown !== undefined && isOffer(shown) ? (
        <p className="aside">
          <button
            type="button"
            className="ostiary-button"
            data-importance="secondary"
            onClick={() => {
              putOff(shown);
              goOn(shown.returnTo, []);
            }}
          >
            {words.notNow}
          </button>
        </p>
      ) : name === "settings" && shown !== undefined ? null : (
        <p className="aside">
          {words[name].other} <PageLink to={otherPage[name]}>{words[name].link}</PageLink>
        </p>
      )}
    </FlowFrame>
  );
}

/** What the owner of a flow signs in with, as its form has it out of sight; the login that it waits for does not say it. */
function usernameIn({ form }: Flow): string | undefined {
  const node = form?.nodes.find(({ name }) => name === "username");
  return node?.kind.case === "input" ? textOf(node.kind.value.value) : undefined;
}

/** Whether a login can be anybody's still: its form has the name, to be filled in or as it was. */
function asksWho({ form }: Flow): boolean {
  return form?.nodes.some(({ name }) => name === "identifier") ?? false;
}

/** The page that each leads on to, for those who are at the wrong one. */
const otherPage = {
  registration: "login",
  verification: "sessions",
  recovery: "login",
  settings: "sessions",
} as const satisfies Record<Exclude<FlowName, "login">, Route>;

type Stage =
  | { readonly kind: "loading" }
  /** The login that the flow waited for is completed; what was submitted is carried out. */
  | { readonly kind: "resuming"; readonly flow: Flow }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "flow"; readonly flow: Flow; readonly notice: Notice | undefined }
  | { readonly kind: "deleted"; readonly purgeTime: Date; readonly returnTo: string };

/** The flow is in the place of one that could not be used any more, or of one of somebody else's account. */
type Notice = "replaced" | "another account";

function useFlow(name: FlowName) {
  const [stage, setStage] = useState<Stage>({ kind: "loading" });
  const [attempt, setAttempt] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt opens a flow again
  useEffect(() => {
    let left = false;
    const show = (next: Stage) => {
      if (!left) setStage(next);
    };
    const notice = isReplacement() ? "replaced" : undefined;
    const resumed = isResumed();
    openFlow(name).then(
      ({ flow, replaced }) => {
        const page = pageOf(flow.kind);
        if (page === undefined || page === name) {
          show(resumed ? { kind: "resuming", flow } : { kind: "flow", flow, notice });
        }
        // A recovery in the place of the settings after one begins again on its own page.
        else if (replaced) navigateToReplacement(page, flow.id);
        else navigate(page, flow.id);
      },
      (error: unknown) => (isSignedOut(error) ? goToLogin(error) : show({ kind: "failed", error })),
    );
    return () => {
      left = true;
    };
  }, [name, attempt]);
  return {
    stage,
    /** `kept`: the flow that the address names, where that is another one. */
    draw: (flow: Flow, notice?: Notice, kept: Flow = flow) => {
      keepFlowId(kept.id);
      setStage({ kind: "flow", flow, notice });
    },
    end: (purgeTime: Date, returnTo: string) => {
      clearFragment();
      setStage({ kind: "deleted", purgeTime, returnTo });
    },
    retry: () => setAttempt(attempt + 1),
  };
}

/** The login that tells the OAuth2 server again, where it could not be told. */
function handOverIn(following: readonly ContinueWith[]): Flow | undefined {
  return following.flatMap(({ action }) => (action.case === "login" ? [action.value.flow] : []))[0];
}

/** To the flow that comes next, else to where this one was begun for: the server has compared that with its list. */
function goOn(returnTo: string, following: readonly ContinueWith[]): void {
  const next = following
    .flatMap(({ action }) => (action.case === "verification" || action.case === "settings" ? [action] : []))
    .find(({ value: { flow } }) => flow !== undefined && (!isOffer(flow) || isOfferWanted(flow)));
  // The settings say what the account is asked to do.
  const isAsked = following.some(({ action }) => action.case === "requiredAction");
  if (next !== undefined) navigate(next.case, next.value.flow?.id);
  else if (returnTo !== "") window.location.assign(returnTo);
  else navigate(isAsked ? "settings" : "sessions");
}
