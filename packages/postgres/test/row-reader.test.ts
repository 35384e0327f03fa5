import { EventEmitter } from 'node:events'
import { createMovableClock } from '@cache/core/conformance'
import type {} from '@cache/testing/postgres-setup'
import { expect, inject, it } from 'vitest'
import { PostgresBackend } from '../src/index.ts'
import { MessageSplitter, type RowConnection, readRawRows } from '../src/row-reader.ts'
import { seededRandom } from './seeded-random.ts'
import { tableName } from './table-name.ts'

function message(code: string, body: Buffer): Buffer {
  const header = Buffer.alloc(5)
  header.write(code)
  header.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([header, body])
}

function row(...columns: (Buffer | null)[]): Buffer {
  const parts = columns.flatMap((column) => {
    const length = Buffer.alloc(4)
    length.writeInt32BE(column?.length ?? -1)
    return column === null ? [length] : [length, column]
  })
  const count = Buffer.alloc(2)
  count.writeUInt16BE(columns.length)
  return message('D', Buffer.concat([count, ...parts]))
}

/** What a splitter makes of these pieces, in the order in which it came. */
function splitAll(pieces: readonly Buffer[]): unknown[] {
  const seen: unknown[] = []
  const splitter = new MessageSplitter(
    (one) => seen.push(one.read(1).map((column) => (Buffer.isBuffer(column) ? column.toString('hex') : column))),
    (others) => {
      // Whole messages only, which may come together.
      for (let at = 0; at < others.length; at += 1 + others.readUInt32BE(at + 1))
        seen.push(String.fromCharCode(others[at] as number))
    },
  )
  for (const piece of pieces) splitter.take(piece)
  return seen
}

const bytes = Buffer.from('00ff80c3280a', 'hex')
const long = Buffer.alloc(300, 0xfe)
const stream = Buffer.concat([
  message('2', Buffer.alloc(0)),
  row(Buffer.from('schlüssel'), bytes, null),
  row(Buffer.from('b'), long, Buffer.from('17 v')),
  message('C', Buffer.from('SELECT 2\0')),
  message('Z', Buffer.from('I')),
])
const expected = ['2', ['schlüssel', bytes.toString('hex'), null], ['b', long.toString('hex'), '17 v'], 'C', 'Z']

it('rows and other messages come out in their order, wherever what arrives is cut', () => {
  expect(splitAll([stream])).toEqual(expected)
  for (let cut = 1; cut < stream.length; cut++) {
    expect(splitAll([stream.subarray(0, cut), stream.subarray(cut)])).toEqual(expected)
  }
  expect(splitAll([...stream].map((_, index) => stream.subarray(index, index + 1)))).toEqual(expected)
})

it('rows come out whole from pieces of any sizes', () => {
  const random = seededRandom(20_261_120)
  for (let round = 0; round < 300; round++) {
    const pieces: Buffer[] = []
    for (let at = 0; at < stream.length; ) {
      const next = at + 1 + Math.floor(random() * 90)
      pieces.push(stream.subarray(at, next))
      at = next
    }
    expect(splitAll(pieces)).toEqual(expected)
  }
})

it('a row reads as texts for the queries of `pg` itself', () => {
  const connection = new EventEmitter() as EventEmitter & RowConnection
  const forwarded: Buffer[] = []
  connection.attachListeners = (others) => {
    others.on('data', (chunk: Buffer) => forwarded.push(chunk))
  }
  const rows: unknown[] = []
  connection.on('dataRow', ({ fields }: { fields: unknown }) => rows.push(fields))
  expect(readRawRows(connection)).toBe(true)
  const socket = new EventEmitter()
  connection.attachListeners?.(socket)
  socket.emit('data', Buffer.concat([row(Buffer.from('ä'), null), message('Z', Buffer.from('I'))]))
  expect(rows).toEqual([['ä', null]])
  expect(Buffer.concat(forwarded)).toEqual(message('Z', Buffer.from('I')))
})

it('a connection that is built otherwise is left alone', () => {
  expect(readRawRows(new EventEmitter())).toBe(false)
})

it.each([
  ['as bytes', {}],
  ['in hexadecimal', { prepare: false }],
] as const)('values of every length come back %s as they were', async (_, options) => {
  const clock = createMovableClock()
  const backend = new PostgresBackend({
    url: inject('postgresUrl'),
    table: tableName(),
    clock,
    timeout: '20s',
    ...options,
  })
  const random = seededRandom(7)
  const lengths = [0, 1, 200, 8_191, 16_383, 16_384, 65_535, 65_536, 300_000, 2_500_000]
  const items = lengths.map((length) => ({
    key: `k${length}`,
    value: Buffer.from(Array.from({ length }, () => Math.floor(random() * 256))),
    version: `v${length}`,
    createdAt: clock.now(),
  }))
  await Promise.all(items.map((item) => backend.set(item)))
  expect(await backend.getMany(items.map(({ key }) => key))).toEqual(items)
  for (const item of items) expect(await backend.get(item.key)).toEqual(item)
  await backend.close()
})
