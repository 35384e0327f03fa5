import { isUtf8 } from 'node:buffer'
import type { Codec } from '@cache/core/backend'
import { asBuffer } from '../format/as-buffer.ts'
import { refuseTooDeep } from './refuse-too-deep.ts'

/**
 * `JSON.stringify` and `JSON.parse`. It **changes values without an error**: dates and instances with `toJSON` become their JSON,
 * other instances plain objects, `NaN` becomes `null`, a `Map` becomes `{}`, and members that are `undefined` or functions
 * disappear. A value comes back from memory in another form than from the store. Throws for cycles, `bigint`, and values
 * without any JSON.
 */
export const lossyJsonCodec: Codec = {
  id: 5,
  name: 'lossy json',
  encode(value) {
    const text: string | undefined = refuseTooDeep('JSON', () => JSON.stringify(value))
    if (text === undefined) throw new TypeError(`JSON has no form of a ${typeof value}; leave it out`)
    return Buffer.from(text, 'utf8')
  },
  decode(bytes) {
    if (!isUtf8(bytes)) throw new RangeError('JSON that is not UTF-8')
    return JSON.parse(asBuffer(bytes).toString('utf8'))
  },
}
