/** A key that is set often enough to have a flag of the command line. */
export interface ConfigFlag {
  /** The key. */
  readonly path: string;
  readonly name: `--${string}`;
  /** Name of the value in the help; undefined for a switch. */
  readonly argument: string | undefined;
  readonly description: string;
}

/** The keys that have flags. */
export const configFlags = [
  {
    path: "dev",
    name: "--dev",
    argument: undefined,
    description: "development mode: only warn of what is insecure",
  },
  {
    path: "server.public.port",
    name: "--public-port",
    argument: "port",
    description: "the public listener's port",
  },
  {
    path: "server.admin.port",
    name: "--admin-port",
    argument: "port",
    description: "the admin listener's port",
  },
  {
    path: "database.data_directory",
    name: "--data-directory",
    argument: "directory",
    description: "where the embedded database is kept",
  },
  {
    path: "database.url",
    name: "--database-url",
    argument: "url",
    description: "an external PostgreSQL; with a password rather as a variable or in the file",
  },
  {
    path: "server.workers",
    name: "--workers",
    argument: "number",
    description: "how many processes serve; 0: one for each core",
  },
  { path: "log.level", name: "--log-level", argument: "level", description: "debug, info, warn or error" },
] as const satisfies readonly ConfigFlag[];

/** Values of flags by the path of their key, as text. */
export type FlagValues = Partial<Record<(typeof configFlags)[number]["path"], string>>;
