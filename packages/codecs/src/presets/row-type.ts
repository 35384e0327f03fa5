import type { CodecType } from '../types/codec-type.ts'
import { membersOf } from './members-of.ts'

const rowClasses: ReadonlySet<string> = new Set([
  'TextRow',
  'BinaryRow',
  'RowDataPacket',
  'OkPacket',
  'ResultSetHeader',
])

/**
 * Rows and results of mysql and mysql2, whose classes are made for each query. They come back as plain objects. Rows of
 * `node:sqlite` and results of GraphQL are objects without a prototype, which codecs keep without a type.
 */
export const rowType: CodecType<object> = {
  name: 'row',
  is: (value) => rowClasses.has((value as object).constructor?.name),
  encode: (row) => ({ ...row }),
  decode: (data) => membersOf(data, 'row'),
}
