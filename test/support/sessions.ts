import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import type { TestApp } from "./app.ts";

/** Whether the session of a token still counts. */
export function isLive(app: TestApp, token: string): Promise<boolean> {
  return app
    .client(SessionService)
    .checkSession({ token })
    .then(
      () => true,
      () => false,
    );
}
