import { isUtf8 } from 'node:buffer'
import { asBuffer } from '../format/as-buffer.ts'
import type { KeepingCodec } from './keeping-codec.ts'
import { refuseUnkept } from './refuse-unkept.ts'
import type { ValueKind } from './value-kind.ts'

const keeps: readonly ValueKind[] = ['lone surrogate', '__proto__ member']
const kept: ReadonlySet<ValueKind> = new Set(keeps)

/** JSON: readable by people and by every language. Refuses whatever JSON would drop or turn into something else, dates and `undefined` included. */
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
