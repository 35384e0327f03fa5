import type { CodecType } from '../types/codec-type.ts'

/** `Headers` of `fetch`, stored as pairs. Each `set-cookie` header is a pair of its own. */
export const headersType: CodecType<Headers> = {
  name: 'Headers',
  is: (value) => value instanceof Headers,
  encode: (headers) => [...headers],
  decode: (data) => new Headers(data as [string, string][]),
}
