import type { CodecType } from '../types/codec-type.ts'
import { textOf } from './text-of.ts'

/** `URL`, stored as its text. */
export const urlType: CodecType<URL> = {
  name: 'URL',
  is: (value) => value instanceof URL,
  encode: (url) => url.href,
  decode: (data) => new URL(textOf(data, 'URL')),
}
