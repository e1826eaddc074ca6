import { Migrator } from "@mikro-orm/migrations";
import { MikroORM } from "@mikro-orm/postgresql";
import { entities } from "./entities.ts";
import { migrations } from "./migrations/index.ts";

/** Where MikroORM finds its own table. */
interface MikroOrmOptions {
  readonly schemaName: string;
  readonly tableName: string;
  readonly database: string;
}

/**
 * Opens MikroORM with the entities and migrations. Only for changes of the schema and for comparing it with the
 * entities: the stores send hand-written SQL, see README.md. Import this file lazily, it is heavy.
 */
export async function openMikroOrm(url: string, options: MikroOrmOptions) {
  return MikroORM.init({
    entities: [...entities],
    dbName: options.database,
    schema: options.schemaName,
    // The connection string as `pg` reads it: MikroORM's own reading knows no Unix sockets.
    driverOptions: { connectionString: url, max: 1, application_name: "ostiary migrations" },
    extensions: [Migrator],
    migrations: {
      tableName: options.tableName,
      migrationsList: await Promise.all(
        migrations.map(async ({ name, load }) => ({ name, class: await load() })),
      ),
      snapshot: false,
      transactional: true,
      allOrNothing: true,
      disableForeignKeys: false,
    },
    discovery: { warnWhenNoEntities: false },
    debug: false,
    logger: () => {},
  });
}
