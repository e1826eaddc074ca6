import { useRef, useState } from "react";
import { flushSync } from "react-dom";
import { createRoot } from "react-dom/client";
import type { FormMessageView } from "../../../sdk/typescript/src/form.ts";
import { FlowForm } from "../../../sdk/typescript/src/react.tsx";
import { DrawnPage, type Renderer } from "./drawn-page.ts";

const expired: FormMessageView = { id: 0, kind: "error", text: "This form was open for too long." };

function Page({ heading, flow: first, confirm, onSubmit }: Parameters<Renderer>[0]) {
  const [flow, setFlow] = useState(first);
  return (
    <FlowForm
      flow={flow}
      heading={useRef(heading)}
      confirm={confirm}
      notice={flow.id === first.id ? undefined : expired}
      onSubmit={async (submitted) => {
        const next = await onSubmit(submitted);
        if (next !== undefined) setFlow(next);
      }}
    />
  );
}

/** Called by the test. */
export const page = new DrawnPage((drawn) => {
  flushSync(() => createRoot(drawn.element).render(<Page {...drawn} />));
});
