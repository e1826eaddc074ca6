// SPDX-License-Identifier: Apache-2.0
// @ostiary/sdk/react: the form of any flow as a React component. It is drawn from what @ostiary/sdk/form describes.
export { FlowForm, type FlowFormProps } from "./react/flow-form.tsx";
export { FormElementView, type FormElementViewProps } from "./react/form-element-view.tsx";
export { FormFieldView, type FormFieldViewProps } from "./react/form-field-view.tsx";
