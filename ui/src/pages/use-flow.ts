import { type SubmitOutcome, submit } from "@ostiary/sdk";
import {
  type FlowName,
  getFlow,
  keepTyped,
  leavePage,
  rememberMethod,
  type SubmittedForm,
} from "@ostiary/sdk/form";
import { type Flow, FlowKind, FlowState } from "@ostiary/sdk/v1/flow";
import { useEffect, useRef, useState } from "react";
import { carry, fillCarried, forgetCarried } from "../carried.ts";
import { isAnswerLost } from "../describe-error.ts";
import { errand, forgetErrand, keepErrand, takeErrand } from "../errand.ts";
import {
  arrival,
  clearFragment,
  flowIdInAddress,
  invitationTokenInAddress,
  isWithin,
  keepFlowId,
  leaveFor,
  linkTokenInAddress,
  redirect,
  stepOut,
  stepWithin,
} from "../navigation.ts";
import { ostiary } from "../ostiary.ts";
import { goToLogin, isSignedOut } from "../signed-out.ts";
import { useVisit } from "../visitor.ts";
import {
  dateOf,
  type FlowInUse,
  type Notice,
  noticeOf,
  offersBack,
  type Stage,
  stepsOf,
  typedNow,
} from "./flow-stage.ts";
import { goOn, handOverIn, saidAfter } from "./go-on.ts";
import { idFor, type LostSubmit } from "./lost-submit.ts";
import {
  areCookiesBlocked,
  freshFlow,
  hasMovedOn,
  isCompleted,
  isFlowGone,
  openFlow,
  pageOf,
} from "./open-flow.ts";
import { useLinkWait } from "./use-link-wait.ts";
import {
  claimShared,
  forgetShared,
  rememberWaiting,
  shareWaiting,
  takeShared,
  takeWaiting,
} from "./waiting-flow.ts";

/** Opens the flow of a page, and carries it on until it leads to another page. */
export function useFlow(name: FlowName): FlowInUse {
  const [stage, setStage] = useState<Stage>({ kind: "loading" });
  const [attempt, setAttempt] = useState(0);
  const { returns, look } = useVisit();
  const waiting = useRef<Flow>(undefined);
  // What was filled in when the login came in between, for those who go back.
  const before = useRef<SubmittedForm>(undefined);
  const lost = useRef<LostSubmit>(undefined);
  const isBusy = useRef(false);
  const isSteppingOut = useRef(false);
  const isLeft = useRef(false);
  // Security rule (SR-FLOW-3): what was typed here is of the person who has signed in, and goes along to nobody.
  const isOver = useRef(false);
  const shown = stage.kind === "flow" ? stage.flow : undefined;

  const retry = () => setAttempt((count) => count + 1);
  const draw = (flow: Flow, notice?: Notice) => {
    // The address keeps the flow that waits: loading the page anew asks for the login again.
    keepFlowId((waiting.current ?? flow).id);
    if (!isFirstStep(flow)) {
      if (!isWithin()) stepWithin();
    } else if (isWithin()) void goOut();
    if (flow.stage.case === "linkSent" && waiting.current !== undefined) shareWaiting(waiting.current);
    setStage({ kind: "flow", flow, notice });
  };

  /** Whether the back button has nowhere to lead to within the page. */
  const isFirstStep = (flow: Flow) => waiting.current === undefined && !offersBack(flow);
  /** Leaves the entry of the history that was made for a step, whose way back was another one. */
  const goOut = async () => {
    isSteppingOut.current = true;
    await stepOut();
    isSteppingOut.current = false;
  };

  const follow = async (outcome: SubmitOutcome, submitted: Flow): Promise<void> => {
    switch (outcome.kind) {
      case "completed": {
        const { current } = waiting;
        const { purgeTime, returnTo, continueWith, signedIn } = outcome.completed;
        forgetCarried();
        isOver.current = current === undefined;
        if (current === undefined && isWithin()) await goOut();
        if (purgeTime !== undefined) {
          forgetErrand();
          clearFragment();
          // They are signed out, which what is around the page says as well.
          void look().catch(() => {});
          return setStage({ kind: "deleted", purgeTime: dateOf(purgeTime), returnTo });
        }
        if (current !== undefined) {
          waiting.current = undefined;
          forgetShared();
          return send({ flow: current, data: new FormData(), step: "resume" });
        }
        const away = takeWaiting(submitted);
        if (away !== undefined) return redirect(away.page, away.flowId, { resumed: true });
        if (submitted.oauth2LoginRequest !== undefined) {
          const handOver = handOverIn(continueWith);
          if (handOver !== undefined) return draw(handOver);
          // The application waits; an address is verified later.
          return leaveFor(returnTo);
        }
        const change =
          submitted.stage.case === "confirmLink"
            ? takeShared(signedIn?.identity?.id, { isClaimant: true })
            : undefined;
        if (change !== undefined) return redirect("settings", change, { resumed: true });
        const onwards = (says = saidAfter(submitted)) => goOn(returnTo, continueWith, says);
        const marked = signedIn?.identity?.purgeTime;
        if (marked === undefined) return onwards();
        clearFragment();
        return setStage({ kind: "marked", purgeTime: dateOf(marked), goOn: onwards });
      }
      case "next_step": {
        // What a provider vouches for may go on as another kind: a login as a registration, and the other way round.
        const page = pageOf(outcome.flow.kind);
        if (outcome.flow.kind !== submitted.kind && page !== undefined)
          return redirect(page, outcome.flow.id);
        return draw(outcome.flow);
      }
      case "rejected":
      case "saved":
        return draw(outcome.flow);
      case "login_required":
        waiting.current = outcome.waitingFlow;
        return draw(outcome.flow);
      case "redirect":
        if (waiting.current !== undefined) rememberWaiting(name, waiting.current, outcome.flow);
        return leavePage(outcome);
      case "expired": {
        const page = pageOf(outcome.flow.kind);
        // A recovery begins again on its own page.
        if (outcome.flow.kind === submitted.kind || page === undefined) return draw(outcome.flow, "replaced");
        return redirect(page, outcome.flow.id, { replaced: true });
      }
      default:
        return outcome satisfies never;
    }
  };

  const send = async (submitted: SubmittedForm): Promise<void> => {
    const { flow, data, step } = submitted;
    const requestId = idFor(lost.current, submitted);
    lost.current = undefined;
    if (flow.stage.case === "confirmLink") claimShared();
    let outcome: SubmitOutcome;
    try {
      outcome = await submit(ostiary, flow, data, step, { requestId });
    } catch (error) {
      if (isAnswerLost(error)) lost.current = { submitted, requestId };
      return recover(error, submitted);
    }
    // A login that only confirms who is signed in is not what they sign in with.
    if (waiting.current === undefined) rememberMethod(submitted, outcome);
    if (outcome.kind === "login_required") before.current = submitted;
    return follow(outcome, flow);
  };

  /** Goes on after a refusal that has nothing to do with what was filled in. Throws what the form itself is to say. */
  const recover = async (error: unknown, { flow, data, step }: SubmittedForm): Promise<void> => {
    if (isSignedOut(error)) return leaveToSignIn(error, flow, step === "resume" ? undefined : data);
    if (isCompleted(error)) return finish(flow, data);
    if (hasMovedOn(error)) return readAgain(flow, data);
    if (isFlowGone(error)) return beginAgain(flow, data);
    throw error;
  };

  /** To the login, and back with what was filled in; without `data` a change waits, and is carried out then. */
  const leaveToSignIn = (error: unknown, flow: Flow, data: FormData | undefined) => {
    const change = waiting.current;
    const resumes = change !== undefined || data === undefined;
    keepErrand(name, change ?? flow, resumes ? undefined : data, resumes);
    return goToLogin(error, { interrupted: true });
  };

  /** Draws the flow as it is by now, with what was filled in where it still asks for it. */
  const readAgain = async (flow: Flow, data: FormData): Promise<void> => {
    const found = await getFlow(ostiary, flow.id);
    if (found.flow.state === FlowState.COMPLETED) return finish(flow, data);
    return draw(keepTyped(found.flow, data, flow), found.replaced ? "replaced" : "movedOn");
  };

  /**
   * Goes on with a fresh flow and what was typed. Security rule (SR-FLOW-3): not if somebody else has signed in meanwhile; what was typed
   * for one account is not filled in for another one.
   */
  const beginAgain = async (flow: Flow, data: FormData): Promise<void> => {
    const former = waiting.current ?? flow;
    waiting.current = undefined;
    const fresh = await freshFlow(name);
    const isSame = fresh.account?.identityId === former.account?.identityId;
    const isOver = former.kind === FlowKind.SETTINGS && former.state === FlowState.COMPLETED;
    const notice = isOver ? "changed" : (await areCookiesBlocked(fresh)) ? "cookiesBlocked" : "gone";
    return draw(keepTyped(fresh, data, flow), isSame ? notice : "another account");
  };

  /** The flow was completed: in another tab, on another device, or by a submit whose answer was lost. */
  const finish = async (flow: Flow, data: FormData): Promise<void> => {
    const change = waiting.current;
    if (change !== undefined && change.id !== flow.id) {
      waiting.current = undefined;
      const isTaken = flow.stage.case === "linkSent" && takeShared(change.account?.identityId) === undefined;
      // The tab in which the link was opened carries the change out.
      if (isTaken && change.kind === FlowKind.SETTINGS) return readAgain(change, data);
      return send({ flow: change, data: new FormData(), step: "resume" });
    }
    if (flow.kind === FlowKind.SETTINGS) return beginAgain({ ...flow, state: FlowState.COMPLETED }, data);
    const visitor = await look();
    if (isWithin()) await goOut();
    if (visitor.kind === "somebody") return goOn(flow.returnTo, [], "doneBefore");
    switch (flow.kind) {
      case FlowKind.REGISTRATION:
        return redirect("login", undefined, { done: true });
      case FlowKind.LOGIN:
        return draw(fillCarried(keepTyped(await freshFlow(name), data, flow)), "done");
      default:
        return showDone(flow);
    }
  };

  const showDone = ({ returnTo }: Flow) => {
    clearFragment();
    setStage({ kind: "done", goOn: () => (returnTo === "" ? redirect("") : leaveFor(returnTo)) });
  };

  /** Looks whether anything has become of the flow elsewhere. What cannot be found out now is seen with the next submit. */
  const lookAgain = async (flow: Flow): Promise<void> => {
    // What is asked before an answer, or before the page is left, says nothing of what comes after.
    const isInVain = () => isBusy.current || isOver.current || isLeft.current;
    if (isInVain()) return;
    const data = typedNow();
    try {
      const found = await getFlow(ostiary, flow.id);
      if (isInVain() || found.replaced) return;
      if (found.flow.state === FlowState.COMPLETED) return await finish(flow, data);
      if (found.flow.stage.case === flow.stage.case && stepsOf(found.flow) === stepsOf(flow)) return;
      draw(keepTyped(found.flow, typedNow(), flow), "movedOn");
    } catch (error) {
      if (isInVain()) return;
      // Security rule (SR-PAGES-8): what was shown to somebody who has signed out, or to another person, is shown no more.
      if (isSignedOut(error)) leaveToSignIn(error, flow, data);
      else if (flow.account !== undefined && isFlowGone(error)) await beginAgain(flow, data).catch(() => {});
    }
  };

  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt opens a flow again
  useEffect(() => {
    let left = false;
    const show = (next: Stage) => {
      if (!left) setStage(next);
    };
    const came = arrival();
    isOver.current = false;
    const due = errand();
    const isAsking = name === "login" || name === "registration";
    Promise.all([
      openFlow(name, due?.page === name ? due.flowId : undefined),
      // A person who is signed in is told so before they do it again. A failed look is no failure of the page.
      isAsking ? look().catch(() => undefined) : undefined,
    ]).then(
      ([{ flow, replaced, done }, visitor]) => {
        if (left) return;
        const page = pageOf(flow.kind);
        if (page !== undefined && page !== name) {
          // A recovery in the place of the settings after one begins again on its own page.
          return redirect(page, flow.id, replaced ? { replaced: true } : {});
        }
        if (came.resumed) return show({ kind: "resuming", flow });
        if (done && visitor?.kind !== "somebody") {
          if (name === "registration") return redirect("login", undefined, { done: true });
          if (name === "verification" || name === "recovery") return showDone(flow);
        }
        const { flow: filled, ...taken } = takeErrand(name, flow);
        const isDoneElsewhere = done && name === "login" && visitor?.kind !== "somebody";
        const notice = noticeOf(came, { ...taken, isDoneElsewhere });
        return show({ kind: "flow", flow: fillCarried(filled), notice });
      },
      (error: unknown) => {
        if (left) return;
        if (!isSignedOut(error)) return show({ kind: "failed", error });
        if (due?.page !== name) keepErrand(name);
        return goToLogin(error);
      },
    );
    return () => {
      left = true;
    };
  }, [name, attempt]);

  const onSubmit = async (submitted: SubmittedForm): Promise<void> => {
    carry(submitted.flow, submitted.data);
    isBusy.current = true;
    try {
      await send(submitted);
    } finally {
      isBusy.current = false;
    }
  };
  // The drawing that the login began in is gone, so what waits is carried out by itself, once.
  const resume = useRef<(flow: Flow) => void>(undefined);
  resume.current = (flow) =>
    void onSubmit({ flow, data: new FormData(), step: "resume" }).catch(() => draw(flow));
  useEffect(() => {
    if (stage.kind === "resuming") resume.current?.(stage.flow);
  }, [stage]);

  const cancel = async (): Promise<void> => {
    const { current: change } = waiting;
    if (change === undefined) return;
    forgetShared();
    const { flow } = await getFlow(ostiary, change.id);
    waiting.current = undefined;
    const typed = before.current;
    draw(typed === undefined ? flow : keepTyped(flow, typed.data, typed.flow));
  };
  const goBack = (flow: Flow): Promise<void> => {
    const away = offersBack(flow) ? onSubmit({ flow, data: typedNow(), step: "back" }) : cancel();
    // What cannot be left is shown still.
    return away.catch(() => stepWithin());
  };
  const latest = useRef({ shown, lookAgain, isFirstStep, goBack });
  latest.current = { shown, lookAgain, isFirstStep, goBack };
  useEffect(() => {
    const { shown: flow } = latest.current;
    if (returns > 0 && flow !== undefined) void latest.current.lookAgain(flow);
  }, [returns]);
  useLinkWait(shown, (flow) => void latest.current.lookAgain(flow));
  useEffect(() => {
    // A link that is pasted into this tab, and the way back to another flow, differ in the fragment alone: the page is not loaded.
    const onHashChange = () => {
      const named = flowIdInAddress();
      const isNew = linkTokenInAddress() !== undefined || invitationTokenInAddress() !== undefined;
      const { shown: flow } = latest.current;
      if (!isNew && (named === undefined || named === (waiting.current ?? flow)?.id)) return;
      waiting.current = undefined;
      setStage({ kind: "loading" });
      setAttempt((count) => count + 1);
    };
    // The back button means the step before, as the button of the form does.
    const onBack = (event: PopStateEvent) => {
      const { shown: flow } = latest.current;
      if (!event.isTrusted || flow === undefined) return;
      if (isSteppingOut.current) return keepFlowId((waiting.current ?? flow).id);
      // A link that was pasted leads forward.
      const isSame = flowIdInAddress() === (waiting.current ?? flow).id;
      if (isSame && !isWithin() && !latest.current.isFirstStep(flow)) void latest.current.goBack(flow);
    };
    // The page that follows can ask for what is typed here, however it is come to.
    const onLeave = () => {
      if (latest.current.shown !== undefined && !isOver.current) carry(latest.current.shown, typedNow());
    };
    isLeft.current = false;
    window.addEventListener("hashchange", onHashChange);
    window.addEventListener("popstate", onBack);
    window.addEventListener("popstate", onLeave, { capture: true });
    return () => {
      isLeft.current = true;
      window.removeEventListener("hashchange", onHashChange);
      window.removeEventListener("popstate", onBack);
      window.removeEventListener("popstate", onLeave, { capture: true });
    };
  }, []);

  return {
    stage,
    waiting: waiting.current,
    onSubmit,
    cancel: () => cancel().catch(retry),
    goOn: (returnTo, says) => goOn(returnTo, [], says),
    retry,
  };
}
