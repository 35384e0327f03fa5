import type { IndexRow } from './index-rows.ts'
import { type Database, prepareRows, type RowStatement, type SqlValue } from './sqlite.ts'

/** Longer frames are read one by one, because copying them into one blob would cost more than it saves. */
const shortFrame = 4096

const short = `item.file is null and typeof(item.frame) = 'blob' and length(item.frame) <= ${shortFrame}`

/**
 * All frames as one blob, and the columns as JSON arrays: each value that crosses from SQLite to JavaScript costs more
 * than the search for its row. The casts are for damaged rows: JSON cannot hold a blob.
 */
const sql = `
select
  cast(group_concat(case when ${short} then item.frame end, '') as blob),
  json_group_array(case when ${short} then length(item.frame) end),
  json_group_array(asked.key),
  json_group_array(item.id),
  json_group_array(cast(item.checksum as integer))
from json_each(?) as asked cross join item where item.key = asked.value`

/** Reads the rows of many keys in one call of SQLite. */
export class RowBatch {
  readonly #statement: RowStatement

  constructor(database: Database) {
    this.#statement = prepareRows(database, sql)
  }

  /** The rows in the order of the keys. Their frames are views of one shared buffer. */
  read(texts: readonly string[]): (IndexRow | undefined)[] {
    const row = this.#statement.get(JSON.stringify(texts)) as readonly SqlValue[]
    const all = bytesOf(row[0] as Uint8Array | null)
    const lengths = JSON.parse(row[1] as string) as readonly (number | null)[]
    const places = JSON.parse(row[2] as string) as readonly number[]
    const ids = JSON.parse(row[3] as string) as readonly number[]
    const checksums = JSON.parse(row[4] as string) as readonly number[]
    const found: (IndexRow | undefined)[] = texts.map(absent)
    let start = 0
    for (let at = 0; at < places.length; at += 1) {
      const length = lengths[at] as number | null
      const end = start + (length ?? 0)
      const frame = length === null ? null : all.subarray(start, end)
      found[places[at] as number] = { id: ids[at] as number, checksum: checksums[at] as number, frame }
      start = end
    }
    return found
  }
}

const nothing = Buffer.alloc(0)
const absent = (): undefined => undefined

function bytesOf(bytes: Uint8Array | null): Buffer {
  return bytes === null ? nothing : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
