import { CacheError } from '@cache/core/backend'
import type { Database } from './sqlite.ts'

/** The layout that this version of the package writes, kept in SQLite's `user_version`. */
export const schemaVersion = 1

/**
 * Which items are evicted first at a limit: `'lrs'` the least recently stored, `'lru'` the least recently used, `'lfu'`
 * the least frequently used. `'none'` evicts nothing.
 */
export type EvictionPolicy = 'lrs' | 'lru' | 'lfu' | 'none'

/**
 * Half of SQLite's default page. A write copies each page that it changes into the log, so a page of half the size is
 * nearly half the work. Smaller pages would hold too few rows.
 */
export const pageBytes = 2048

/** Values of the column `kind`. The cache itself uses the items of kind `internal`: tags, locks and rate limits. */
export const kinds = { placeholder: 0, value: 1, internal: 2 } as const

/**
 * `rank` has the index of the policy. It is null for internal items of the cache, which are evicted last. An eviction
 * updates it from `stored_at`, `used_at` or `uses`: see `Evictor`. `due_at` has the index of expiry times. It is never
 * later than `expires_at`. It is updated when it is due, and by a trigger when it would be too late. An overwrite
 * therefore moves no index entry, and each move would cost a page of the log.
 *
 * `frame` comes last, so that SQLite reads the other columns without its overflow pages. When it is null, the bytes are
 * in the value file that `file` names. `checksum` covers the key and the frame in both cases.
 *
 * `message_position` has all columns that decide whether a message can be pulled, so that a search skips the others
 * quickly.
 *
 * Triggers maintain `total`, so that all processes count alike and a rollback takes its counts back. `trash` names
 * value files without a row. Any process may unlink them after the commit that added them, so a crash loses none.
 */
const layout = `
create table item (
  id integer primary key,
  key text not null unique,
  version text not null,
  kind integer not null,
  bytes integer not null,
  stored_at integer not null,
  used_at integer not null default 0,
  uses integer not null default 0,
  rank integer,
  expires_at integer,
  due_at integer,
  tagged integer not null default 0,
  streamed integer not null default 0,
  checksum integer not null,
  file text,
  frame blob
);
create index item_due_at on item (due_at) where due_at is not null;
create index item_file on item (file) where file is not null;

create table item_tag (
  id integer not null,
  tag text not null,
  primary key (id, tag)
) without rowid;
create index item_tag_tag on item_tag (tag, id);

create table message (
  id integer primary key autoincrement,
  queue text not null,
  position integer not null,
  pushed_at integer not null,
  expires_at integer,
  leased_until integer not null default 0,
  lease text,
  attempts integer not null default 0,
  bytes integer not null,
  checksum integer not null,
  file text,
  frame blob
);
create index message_position on message (queue, position, leased_until, expires_at);
create index message_expires_at on message (expires_at) where expires_at is not null;
create index message_file on message (file) where file is not null;

create table trash (file text primary key) without rowid;
create table total (
  entries integer not null,
  live integer not null,
  bytes integer not null,
  trash integer not null,
  policy text not null
);
insert into total values (0, 0, 0, 0, '');

create trigger item_added after insert on item begin
  update total set entries = entries + 1, live = live + (new.kind > 0), bytes = bytes + new.bytes;
end;
create trigger item_changed after update of bytes, kind on item
when new.bytes <> old.bytes or (new.kind > 0) <> (old.kind > 0) begin
  update total set live = live + (new.kind > 0) - (old.kind > 0), bytes = bytes + new.bytes - old.bytes;
end;
create trigger item_due_earlier after update of expires_at on item
when new.expires_at < new.due_at or (new.due_at is null and new.expires_at is not null) begin
  update item set due_at = new.expires_at where id = new.id;
end;
create trigger item_removed after delete on item begin
  update total set entries = entries - 1, live = live - (old.kind > 0), bytes = bytes - old.bytes;
end;
create trigger item_file_replaced after update of file on item when old.file is not null and old.file is not new.file begin
  insert or ignore into trash values (old.file);
end;
create trigger item_file_removed after delete on item when old.file is not null begin
  insert or ignore into trash values (old.file);
end;
create trigger message_file_removed after delete on message when old.file is not null begin
  insert or ignore into trash values (old.file);
end;
create trigger trash_added after insert on trash begin
  update total set trash = trash + 1;
end;
create trigger trash_removed after delete on trash begin
  update total set trash = trash - 1;
end;
create trigger item_tags_replaced after update of tagged on item when old.tagged = 1 begin
  delete from item_tag where id = old.id;
end;
create trigger item_tags_removed after delete on item when old.tagged = 1 begin
  delete from item_tag where id = old.id;
end;
`

/** The order of each policy. The values only grow while the clock does. */
export const policyColumn: Readonly<Record<EvictionPolicy, string>> = {
  lrs: 'stored_at',
  lru: 'max(used_at, stored_at)',
  lfu: 'uses',
  none: 'id',
}

export function storedSchemaVersion(database: Database): number {
  return (database.prepare('pragma user_version').get() as { user_version: number }).user_version
}

/**
 * Creates missing tables and indexes inside a write transaction: of many processes that start at once, one does it
 * (RACES R37).
 */
export function createSchema(database: Database, policy: EvictionPolicy): void {
  if (storedSchemaVersion(database) === 0) {
    database.exec(layout)
    database.exec(`pragma user_version = ${schemaVersion}`)
  }
  if (policy === 'none' || storedPolicy(database) === policy) return
  for (const sql of policyStatements(policy)) database.exec(sql)
}

/** Prepares the index for a policy. They visit every row. */
export function policyStatements(policy: EvictionPolicy): readonly string[] {
  return [
    // The ranks of another policy are useless. 0 is below every rank, and an eviction updates it when it meets the row.
    'drop index if exists item_rank; update item set rank = 0 where rank is not null',
    'create index item_rank on item (rank) where rank is not null',
    `update total set policy = '${policy}'`,
  ]
}

/** Whether `createSchema` would change nothing. */
export function hasSchema(database: Database, policy: EvictionPolicy): boolean {
  const version = storedSchemaVersion(database)
  if (version === 0) return false
  // The file's name has the version too. Another version here is therefore damage, not a later version of this package.
  if (version !== schemaVersion)
    throw new CacheError('DAMAGED', `the index has version ${version}; expected ${schemaVersion}`, { backend: 'file' })
  return policy === 'none' || storedPolicy(database) === policy
}

/** Whether `createSchema` would visit so many rows that it would block the event loop. */
export function takesLong(database: Database): boolean {
  if (storedSchemaVersion(database) === 0) return false
  const row = database.prepare('select max(id) as id from item').get() as { id: number | null }
  return (row.id ?? 0) > 2000
}

function storedPolicy(database: Database): string | undefined {
  return (database.prepare('select policy from total').get() as { policy: string } | undefined)?.policy
}
