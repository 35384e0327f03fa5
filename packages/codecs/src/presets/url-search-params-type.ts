import type { CodecType } from '../types/codec-type.ts'
import { textOf } from './text-of.ts'

/** `URLSearchParams`, stored as its text. It is a copy: a change does not change the URL that it came from. */
export const urlSearchParamsType: CodecType<URLSearchParams> = {
  name: 'URLSearchParams',
  is: (value) => value instanceof URLSearchParams,
  encode: (params) => params.toString(),
  decode: (data) => new URLSearchParams(textOf(data, 'URLSearchParams')),
}
