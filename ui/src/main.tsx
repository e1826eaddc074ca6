import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { forgetErrandOfOthers } from "./errand.ts";
import { firstLanguage } from "./language/index.ts";
import { goOnWithWaiting } from "./pages/waiting-flow.ts";
import "./style.css";
import "./forms.css";
import "./notices.css";

const element = document.getElementById("app");
if (element === null) throw new Error("the page has no element for the app");
forgetErrandOfOthers();
goOnWithWaiting();
const language = await firstLanguage();
createRoot(element).render(<App language={language} />);
