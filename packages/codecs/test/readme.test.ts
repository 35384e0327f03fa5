import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { jsonCodec, msgpackCodec, rawCodec, type ValueKind, v8Codec } from '../src/index.ts'
import { samples } from './samples.ts'

const file = new URL('../README.md', import.meta.url)
const codecs = [msgpackCodec, jsonCodec, v8Codec, rawCodec]

const words: Readonly<Record<ValueKind, string>> = {
  'undefined member': '`undefined` as a member or element',
  NaN: '`NaN`, `Infinity`',
  '-0': '`-0`',
  'lone surrogate': 'strings with lone surrogates, within a value',
  bigint: '`bigint` of up to 64 bits',
  'large bigint': 'larger `bigint`',
  date: '`Date`',
  map: '`Map`',
  set: '`Set`',
  bytes: '`Uint8Array`',
  buffer: '`Buffer`',
  'typed array': 'other typed arrays, `DataView`',
  'array buffer': '`ArrayBuffer`',
  regexp: '`RegExp`',
  hole: 'holes in arrays',
  '__proto__ member': 'a member named `__proto__`',
  'no prototype': 'objects without a prototype',
  cycle: 'cycles',
}

function table(): string {
  const kinds = Object.keys(samples) as ValueKind[]
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [
    line(['', ...codecs.map(({ name }) => `\`${name}Codec\``)]),
    line(['---', ...codecs.map(() => '---')]),
    ...kinds.map((kind) =>
      line([words[kind], ...codecs.map(({ keeps }) => (keeps.includes(kind) ? 'kept' : 'refused'))]),
    ),
  ].join('\n')
}

// The other tests hold every codec to its `keeps`; this one holds the README to it. UPDATE_README=1 writes it.
test('the README lists for every codec the kinds that it keeps', () => {
  const text = readFileSync(file, 'utf8')
  const expected = text.replace(/(<!-- kept values -->\n)[\s\S]*(<!-- end -->)/, `$1\n${table()}\n\n$2`)
  if (process.env.UPDATE_README !== undefined) writeFileSync(file, expected)
  expect(readFileSync(file, 'utf8')).toBe(expected)
})
