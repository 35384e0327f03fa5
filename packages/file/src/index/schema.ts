import { CacheError } from '@cache/core/backend'
import type { Database } from './sqlite.ts'

/** The layout that this version of the package writes, kept in SQLite's `user_version`. */
export const schemaVersion = 1

/** Which items go first when a limit is reached. */
export type EvictionPolicy = 'lrs' | 'lru' | 'lfu' | 'none'

/**
 * Half of SQLite's usual page. A write that hits rows here and there moves a page into the log for each, so half the page is
 * nearly half the work; below this the rows no longer fit well.
 */
export const pageBytes = 2048

/** Values of the column `kind`. A record is an item that the cache keeps for itself: a tag, a lock, a rate limit. */
export const kinds = { placeholder: 0, value: 1, record: 2 } as const

/**
 * `rank` is what the policy's index is on, and null for records, which go last. It follows `stored_at`, `used_at` or `uses` only
 * when the row is looked at for eviction: see `Culler`. `due_at` is what the index of deadlines is on, and follows `expires_at`
 * in the same way: it is never later than that, and is made right when it is due, or by a trigger when it would be too late. So
 * storing an item again moves no entry of an index, of which each would be a page of the log.
 *
 * `frame` comes last, so that the columns before it are read without walking its overflow pages. Where it is null, the
 * bytes are in the value file that `file` names. `checksum` covers the key and the frame wherever it is.
 *
 * `message_position` has what says whether a message can be handed out, so that those which cannot are passed over quickly.
 *
 * `total` is kept by triggers, so that every process counts alike and a rolled back write was never counted. `trash` names
 * value files that no row needs any more; they are unlinked after the commit that put them there, by whichever process
 * comes first, and a crash in between forgets none.
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

/** What each policy orders by. Only ever grows, as long as the clock does. */
export const policyColumn: Readonly<Record<EvictionPolicy, string>> = {
  lrs: 'stored_at',
  lru: 'max(used_at, stored_at)',
  lfu: 'uses',
  none: 'id',
}

export function storedSchemaVersion(database: Database): number {
  return (database.prepare('pragma user_version').get() as { user_version: number }).user_version
}

/** Makes what is missing. Runs inside a write transaction, so that of many processes that start at once one does it (RACES R37). */
export function createSchema(database: Database, policy: EvictionPolicy): void {
  if (storedSchemaVersion(database) === 0) {
    database.exec(layout)
    database.exec(`pragma user_version = ${schemaVersion}`)
  }
  if (policy === 'none' || storedPolicy(database) === policy) return
  // A rank of another policy says nothing; 0 is lower than what any policy orders by, and is made right when it is met.
  database.exec('drop index if exists item_rank; update item set rank = 0 where rank is not null')
  database.exec('create index item_rank on item (rank) where rank is not null')
  database.prepare('update total set policy = ?').run(policy)
}

/** Whether `createSchema` would change nothing. */
export function hasSchema(database: Database, policy: EvictionPolicy): boolean {
  const version = storedSchemaVersion(database)
  if (version === 0) return false
  // The version stands in the file's name too, so another one here is damage and no later version of this package.
  if (version !== schemaVersion)
    throw new CacheError('DAMAGED', `The index has version ${version}`, { backend: 'file' })
  return policy === 'none' || storedPolicy(database) === policy
}

/** Whether `createSchema` would have so many rows to look at that it would hold the event loop. */
export function takesLong(database: Database): boolean {
  if (storedSchemaVersion(database) === 0) return false
  const row = database.prepare('select max(id) as id from item').get() as { id: number | null }
  return (row.id ?? 0) > 2000
}

function storedPolicy(database: Database): string | undefined {
  return (database.prepare('select policy from total').get() as { policy: string } | undefined)?.policy
}
