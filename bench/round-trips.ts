import { startApp } from "../src/app.ts";
import { loadConfig } from "../src/config/load-config.ts";
import { connect, logIn, register } from "./journey.ts";

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
    const ostiary = connect(`http://127.0.0.1:${app.publicPort}`, async (input, init) => {
      const before = statements;
      const response = await fetch(input, init);
      const method = new URL(input instanceof Request ? input.url : input).pathname.split("/").at(-1) ?? "";
      counts.set(method, statements - before);
      return response;
    });
    const email = "round-trips@example.com";
    const token = await register(ostiary, email);
    await logIn(ostiary, email);
    await ostiary.sessions.checkSession({ token });
    return counts;
  } finally {
    await app.stop();
  }
}
