// SPDX-License-Identifier: Apache-2.0
import { create } from "@bufbuild/protobuf";
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { ClientKind, FlowSchema } from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import { InputType } from "../../../../gen/ostiary/flow/v1/form_pb.js";
import { describeForm } from "../form/describe-form.ts";
import { FormFieldView } from "./form-field-view.tsx";

// What is drawn before any script has looked at the field: screen readers name the mark of each rule all the same.
test("the rules of a new password have named marks from the first drawing on", () => {
  const { parts } = describeForm(
    create(FlowSchema, {
      client: ClientKind.BROWSER,
      form: {
        nodes: [
          {
            name: "password.password",
            kind: {
              case: "input",
              value: { type: InputType.PASSWORD, autocomplete: "new-password", minLength: 8, maxLength: 72 },
            },
          },
        ],
      },
    }),
  );
  const field = parts.flatMap(({ fields }) => fields)[0];
  if (!field) throw new Error("no field");
  const drawn = renderToStaticMarkup(createElement(FormFieldView, { field }));
  expect(drawn.match(/data-rule=/g)).toHaveLength(4);
  expect(drawn.match(/<span class="ostiary-mark" role="img" aria-label="To check">○<\/span>/g)).toHaveLength(
    4,
  );
});
