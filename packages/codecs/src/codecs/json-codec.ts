import { isUtf8 } from 'node:buffer'
import { asBuffer } from '../format/as-buffer.ts'
import type { KeepingCodec } from './keeping-codec.ts'
import { refuseUnkept } from './refuse-unkept.ts'
import type { ValueKind } from './value-kind.ts'

const keeps: readonly ValueKind[] = ['lone surrogate', '__proto__ member']
const kept: ReadonlySet<ValueKind> = new Set(keeps)

/** JSON, which people and all languages can read. Refuses all values that JSON would drop or change, such as dates and `undefined`. */
export const jsonCodec: KeepingCodec = {
  id: 2,
  name: 'json',
  keeps,
  encode(value) {
    refuseUnkept(value, kept, 'JSON')
    return Buffer.from(JSON.stringify(value), 'utf8')
  },
  decode(bytes) {
    if (!isUtf8(bytes)) throw new RangeError('JSON that is not UTF-8')
    return JSON.parse(asBuffer(bytes).toString('utf8'))
  },
}
