import { startApp } from "../src/app.ts";
import { loadConfig } from "../src/config/load-config.ts";
import { type Call, createCall, logIn, register } from "./journey.ts";

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * How many statements each call of the journey sends to the database, BEGIN and COMMIT as well, by method; not those of the
 * courier. Runs the server in this process on a data directory that nobody else uses.
 */
export async function countRoundTrips(dataDirectory: string): Promise<ReadonlyMap<string, number>> {
  const flags = {
    "database.data_directory": dataDirectory,
    "server.public.port": "0",
    "server.admin.port": "0",
  };
  let statements = 0;
  const app = await startApp({
    config: loadConfig({ environment: {}, flags }),
    logger: silent,
    version: "bench",
    // What asks whether the database is there, and what looks for messages to send, is of no call.
    onStatement: (text) => {
      if (text !== "SELECT 1" && !/(FROM|UPDATE) ostiary\.message\b/.test(text)) statements++;
    },
  });
  try {
    const counts = new Map<string, number>();
    const send = createCall(`http://127.0.0.1:${app.publicPort}`);
    const counted: Call = async (method, message) => {
      const before = statements;
      const answer = await send(method, message);
      counts.set(method.slice(method.indexOf("/") + 1), statements - before);
      return answer;
    };
    const email = "round-trips@example.com";
    const token = await register(counted, email);
    await logIn(counted, email);
    await counted("session.v1.SessionService/CheckSession", { token });
    return counts;
  } finally {
    await app.stop();
  }
}
