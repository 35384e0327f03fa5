import { type Database, prepareRows, type RowStatement, type SqlValue } from './sqlite.ts'

/** What reading a value needs of its row. `frame` is null where the value is read another way: from a file, or by itself. */
export interface Found {
  readonly id: number
  readonly checksum: number
  readonly frame: Uint8Array | null
}

/** Longer frames are read one by one: copying them together would cost more than it saves. */
const shortFrame = 4096

const short = `item.file is null and typeof(item.frame) = 'blob' and length(item.frame) <= ${shortFrame}`

/**
 * All frames as one blob, and the columns as arrays in JSON: a value that crosses from SQLite to JavaScript by itself costs
 * more than finding its row. Damage may have put anything anywhere, and JSON knows no blobs: hence the casts.
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

  /** What was found, in the order of the keys. The frames are parts of one piece of memory. */
  read(texts: readonly string[]): (Found | undefined)[] {
    const row = this.#statement.get(JSON.stringify(texts)) as readonly SqlValue[]
    const all = bytesOf(row[0] as Uint8Array | null)
    const lengths = JSON.parse(row[1] as string) as readonly (number | null)[]
    const places = JSON.parse(row[2] as string) as readonly number[]
    const ids = JSON.parse(row[3] as string) as readonly number[]
    const checksums = JSON.parse(row[4] as string) as readonly number[]
    const found: (Found | undefined)[] = texts.map(absent)
    let start = 0
    for (let at = 0; at < places.length; at++) {
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
