// SPDX-License-Identifier: Apache-2.0
// @ostiary/sdk/form: draws the form of any flow, without a framework. The React component is in ./react.

export { FlowClientError } from "./client-kind.ts";
export { createFlow, type FlowName, type FlowStart, type FoundFlow, getFlow } from "./flows.ts";
export { type Catalogue, directionOf, optionsIn, withTexts } from "./form/catalogue.ts";
export { listenToControls } from "./form/controls.ts";
export { describeFailure, type FailureOptions } from "./form/describe-failure.ts";
export {
  describeForm,
  type FormAnchor,
  type FormBox,
  type FormButton,
  type FormElement,
  type FormGroup,
  type FormImage,
  type FormItem,
  type FormList,
  type FormPart,
  type FormSectionView,
  type FormText,
  type FormView,
  type HiddenField,
} from "./form/describe-form.ts";
export { type FieldLink, type FormField, fieldOf, type ShownWhile } from "./form/field.ts";
export { buttonForEnter, focusFirstProblem } from "./form/focus.ts";
export { keepTyped } from "./form/keep-typed.ts";
export { lastUsedMethod, rememberMethod } from "./form/last-method.ts";
export { type FormBlock, layoutOf } from "./form/layout.ts";
export { leavePage } from "./form/leave-page.ts";
export {
  type FieldOptions,
  type FormMessageView,
  type FormOptions,
  viewMessage,
} from "./form/message-view.ts";
export { numberText, readNumber } from "./form/numbers.ts";
export { type FormPasskey, PasskeyError } from "./form/passkey.ts";
export { type FieldRule, type RuleState, watchRules } from "./form/password-rules.ts";
export {
  type FormHandlers,
  type RenderedForm,
  renderForm,
  type SubmittedForm,
} from "./form/render-form.ts";
export { signalPasskeys, signalUnknownPasskey } from "./form/signal-passkeys.ts";
export {
  englishFormTexts,
  type FormTexts,
  fillIn,
  type MessageContext,
  type MessageTexts,
  type Translate,
  translator,
} from "./form/texts.ts";
