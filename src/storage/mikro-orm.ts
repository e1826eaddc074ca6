import { Migrator } from "@mikro-orm/migrations";
import { MikroORM } from "@mikro-orm/postgresql";
import { entities } from "./entities.ts";
import { migrations } from "./migrations/index.ts";
import { migrationTable, schemaName } from "./migrator.ts";

/**
 * Opens MikroORM with the entities and migrations, on a database or, for what needs only the entities, on none. Import this file
 * lazily: it is heavy, see README.md.
 */
export async function openMikroOrm(database?: { readonly url: string; readonly name: string }) {
  return MikroORM.init({
    entities: Object.values(entities),
    dbName: database?.name ?? schemaName,
    schema: schemaName,
    // The connection string as `pg` reads it: MikroORM's own reading knows no Unix sockets.
    driverOptions: { connectionString: database?.url, max: 1, application_name: "ostiary migrations" },
    extensions: [Migrator],
    migrations: {
      tableName: migrationTable,
      migrationsList: await Promise.all(
        migrations.map(async ({ name, load }) => ({ name, class: await load() })),
      ),
      path: `${import.meta.dirname}/migrations`,
      // The tables as the last migration left them: what the next one is made from.
      snapshot: database === undefined,
      snapshotName: "snapshot",
      snapshotOnMigrate: false,
      transactional: true,
      allOrNothing: true,
      disableForeignKeys: false,
    },
    debug: false,
    logger: () => {},
  });
}
