import { EntitySchema } from "@mikro-orm/core";
import { Migrator } from "@mikro-orm/migrations";
import { MikroORM } from "@mikro-orm/postgresql";
import type { ClientBase } from "pg";
import { applySettings, connectionOptions } from "./connection.ts";
import * as entities from "./entities.ts";
import { type ListedMigration, migrations } from "./migrations/index.ts";
import { migrationTable, schemaName } from "./migrator.ts";

/** A database for MikroORM. */
interface OrmDatabase {
  readonly url: string;
  readonly name: string;
  /** Default: all of this release. */
  readonly list?: readonly ListedMigration[];
  /** Told of the number of PostgreSQL's process at the other end. */
  readonly onProcess?: (process: number) => void;
}

/**
 * Opens MikroORM with the entities and migrations, on a database or, for what needs only the entities, on none. Import this file
 * lazily: it is heavy, see README.md.
 */
export async function openMikroOrm(database?: OrmDatabase) {
  const list = database?.list ?? migrations;
  const onConnect = async (client: ClientBase) => {
    await applySettings(client, { statementMs: 0, idleInTransactionMs: 60_000 });
    const { rows } = await client.query<{ process: number }>("SELECT pg_backend_pid() AS process");
    database?.onProcess?.(rows[0]?.process ?? 0);
  };
  return MikroORM.init({
    entities: Object.values(entities).filter((entity) => entity instanceof EntitySchema),
    dbName: database?.name ?? schemaName,
    schema: schemaName,
    // The connection string as `pg` reads it: MikroORM's own reading knows no Unix sockets.
    driverOptions: {
      connectionString: database?.url,
      max: 1,
      // An index of a large table takes as long as it takes.
      ...connectionOptions({ application: "ostiary migrations", answerTimeoutMs: undefined }),
      onConnect,
    },
    extensions: [Migrator],
    migrations: {
      tableName: migrationTable,
      migrationsList: await Promise.all(list.map(async ({ name, load }) => ({ name, class: await load() }))),
      path: `${import.meta.dirname}/migrations`,
      // The tables as the last migration left them: what the next one is made from.
      snapshot: database === undefined,
      snapshotName: "snapshot",
      snapshotOnMigrate: false,
      transactional: true,
      allOrNothing: false,
      disableForeignKeys: false,
    },
    debug: false,
    logger: () => {},
  });
}
