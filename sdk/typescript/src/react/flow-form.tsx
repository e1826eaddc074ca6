// SPDX-License-Identifier: Apache-2.0
import { type JSX, type RefObject, type SubmitEvent, useEffect, useRef, useState } from "react";
import type { Flow } from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import { retryAfterOf } from "../errors.ts";
import { CodeEntry } from "../form/code-entry.ts";
import { applyConditions } from "../form/conditions.ts";
import { listenToControls } from "../form/controls.ts";
import { countDown, isWorthCounting } from "../form/count-down.ts";
import { describeFailure, type FailureOptions } from "../form/describe-failure.ts";
import { describeForm } from "../form/describe-form.ts";
import { createEchoes } from "../form/echoes.ts";
import { buttonForEnter, focusFirstProblem } from "../form/focus.ts";
import { layoutOf } from "../form/layout.ts";
import type { FormMessageView } from "../form/message-view.ts";
import { fillInPasskeys, offerPasskey, prepare, stopOffering } from "../form/passkey.ts";
import { watchRules } from "../form/password-rules.ts";
import { type Confirm, readPressed } from "../form/read-pressed.ts";
import type { SubmittedForm } from "../form/render-form.ts";
import { signalPasskeys } from "../form/signal-passkeys.ts";
import { englishFormTexts } from "../form/texts.ts";
import { FormBlockView } from "./form-block-view.tsx";

/** The properties of `FlowForm`. */
export interface FlowFormProps extends FailureOptions {
  /** The flow to draw. Give the next one after each submit. */
  readonly flow: Flow;
  /** Sends the form. What it throws is shown above the form. */
  onSubmit(submitted: SubmittedForm): Promise<void>;
  /** Asks before something is done that cannot be undone. Default: `window.confirm`. */
  readonly confirm?: Confirm | undefined;
  /** Something to say above the form, for example that it had expired. */
  readonly notice?: FormMessageView | undefined;
  /** What gets the focus after a submit that brought no error. It needs `tabIndex={-1}`. */
  readonly heading?: RefObject<HTMLElement | null> | undefined;
}

/** The form of a flow, drawn from its nodes alone; the same markup as that of `renderForm`. */
export function FlowForm(props: FlowFormProps): JSX.Element {
  const { flow, notice, heading } = props;
  const texts = { ...englishFormTexts, ...props.texts };
  const view = describeForm(flow, { ...props, localNumbers: true });
  const form = useRef<HTMLFormElement>(null);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failed>();
  const [isBackInTime, setBackInTime] = useState(false);
  const [echoes] = useState(createEchoes);
  const [offers, setOffers] = useState(0);
  const revision = useRevision(flow);
  const answered = useRef(revision);
  const sending = useRef(false);
  const [codes] = useState(() => new CodeEntry((button) => button.click()));
  const [isOpen, setOpen] = useState(false);
  const [waited, setWaited] = useState("");
  // What the flow says is wrong is of the submit before: another one was refused since.
  const [stale, setStale] = useState(-1);

  // Before the focus moves, since it goes to no field that is hidden.
  useEffect(() => {
    if (form.current === null) return;
    listenToControls(form.current);
    watchRules(form.current);
    applyConditions(form.current);
  });
  useEffect(() => {
    if (answered.current === revision) return;
    answered.current = revision;
    if (form.current !== null && !focusFirstProblem(form.current)) heading?.current?.focus();
  }, [revision, heading]);
  useEffect(() => {
    if (failure !== undefined && form.current !== null) focusFirstProblem(form.current);
  }, [failure]);
  const describe = useRef((failed: Failed) => describeFailure(failed.error, props, failed.waitMs));
  describe.current = (failed) => describeFailure(failed.error, props, failed.waitMs);
  const alert = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (failure === undefined || !isWorthCounting(failure.waitMs)) return undefined;
    const stop = countDown(
      failure.waitMs,
      (waitMs) => {
        // Each second is shown, and not read out.
        alert.current?.setAttribute("aria-live", "off");
        const text = alert.current?.querySelector("p");
        if (text) text.textContent = describe.current({ ...failure, waitMs });
      },
      () => {
        setFailure(undefined);
        setBackInTime(true);
      },
    );
    return () => {
      stop();
      alert.current?.removeAttribute("aria-live");
    };
  }, [failure]);
  // What another flow says has nothing to do with what was refused here.
  // biome-ignore lint/correctness/useExhaustiveDependencies: each flow begins without a failure
  useEffect(() => {
    setFailure(undefined);
    setBackInTime(false);
  }, [revision]);

  const press = async (sent: HTMLFormElement, button: HTMLButtonElement, chosen?: string) => {
    // One submit at a time: a second press of the button would be answered that the flow is completed.
    if (sending.current || button.ariaDisabled === "true") return;
    sending.current = true;
    codes.stop();
    setBusy(true);
    setWaited("");
    setFailure(undefined);
    setBackInTime(false);
    try {
      const pressed = await readPressed(sent, button, props.confirm);
      if (pressed === undefined) return echoes.forget();
      // Beside what is drawn, for style sheets: which button shows that something goes on.
      button.dataset.pending = "";
      await fillInPasskeys(view.passkeys, pressed, chosen);
      await props.onSubmit({ flow, ...pressed });
    } catch (error) {
      setFailure({ error, waitMs: retryAfterOf(error), step: button.dataset.step });
      setStale(revision);
      // What was offered in the field has ended, at the latest by the button.
      setOffers((count) => count + 1);
    } finally {
      sending.current = false;
      setBusy(false);
      delete button.dataset.pending;
    }
  };
  const pressLatest = useRef(press);
  useEffect(() => {
    pressLatest.current = press;
  });
  useEffect(() => signalPasskeys(flow), [flow]);
  useEffect(() => () => codes.stop(), [codes]);
  const { passkeys } = view;
  const latest = useRef(passkeys);
  latest.current = passkeys;
  // Of each flow once, and again after a failure.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the form of a flow is drawn again often, and offers the same
  useEffect(() => {
    prepare(latest.current);
    const offered = latest.current.find(({ conditional }) => conditional);
    // A person who has just said no is not made a passkey by the browser.
    if (offered === undefined || (offered.ceremony === "create" && offers > 0)) return undefined;
    let isOver = false;
    void offerPasskey(offered).then((answer) => {
      const button = form.current?.querySelector<HTMLButtonElement>(`button[data-step="${offered.step}"]`);
      if (isOver || answer === undefined || form.current === null || !button) return;
      void pressLatest.current(form.current, button, answer);
    });
    return () => {
      isOver = true;
      stopOffering();
    };
  }, [revision, offers]);
  const onSubmit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const { submitter } = event.nativeEvent;
    if (submitter instanceof HTMLButtonElement) void press(event.currentTarget, submitter);
  };
  const failed: FormMessageView[] =
    failure === undefined ? [] : [{ id: 0, kind: "error", text: describe.current(failure) }];
  const said = [...(notice === undefined ? [] : [notice]), ...view.messages];
  const messages = [...failed, ...(stale === revision ? said.filter(({ kind }) => kind !== "error") : said)];
  const waitingStep = failure !== undefined && isWorthCounting(failure.waitMs) ? failure.step : undefined;
  return (
    <form
      ref={form}
      className="ostiary-form"
      method="post"
      noValidate
      data-account={view.account === undefined ? undefined : ""}
      aria-busy={busy}
      onSubmit={onSubmit}
      onInput={(event) => {
        echoes.forget();
        applyConditions(event.currentTarget);
        codes.onInput(event.nativeEvent);
      }}
      onPaste={(event) => codes.onPaste(event.nativeEvent)}
      onClick={(event) => {
        if (echoes.isEcho(event.nativeEvent)) event.preventDefault();
      }}
      onKeyDown={(event) => {
        const button = buttonForEnter(event);
        if (button === undefined) return;
        event.preventDefault();
        button.click();
      }}
    >
      <div ref={alert} className="ostiary-messages" tabIndex={-1} role="alert">
        {messages.map(({ id, kind, text }) => (
          <p key={`${id} ${text}`} className="ostiary-message" data-kind={kind}>
            {text}
          </p>
        ))}
      </div>
      {view.hidden.map(({ name, value, autocomplete }) =>
        autocomplete === undefined ? (
          <input key={name} type="hidden" name={name} value={value} />
        ) : (
          <input
            key={name}
            type="text"
            name={name}
            value={value}
            autoComplete={autocomplete}
            readOnly
            hidden
          />
        ),
      )}
      {layoutOf(view.parts).map((block, index) => (
        // A new flow is a new form: nothing of what was typed stays behind, except what the flow has.
        <FormBlockView
          // biome-ignore lint/suspicious/noArrayIndexKey: the blocks of one flow never change places
          key={`${revision} ${index}`}
          block={block}
          texts={texts}
          language={props.language}
          concealed={busy}
          isOpen={isOpen}
          onOpen={setOpen}
          onWaited={setWaited}
          waitingStep={waitingStep}
        />
      ))}
      <p className="ostiary-status" role="status">
        {busy ? texts.busy : isBackInTime ? texts.tryAgainNow : waited}
      </p>
    </form>
  );
}

/** What was refused, how long it is to wait, and the step of the button that waits. */
interface Failed {
  readonly error: unknown;
  readonly waitMs: number | undefined;
  readonly step: string | undefined;
}

/** How many flows were drawn before this one. */
function useRevision(flow: Flow): number {
  const [seen, setSeen] = useState({ flow, revision: 0 });
  if (seen.flow === flow) return seen.revision;
  const next = { flow, revision: seen.revision + 1 };
  setSeen(next);
  return next.revision;
}
