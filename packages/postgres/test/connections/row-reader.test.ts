import { EventEmitter, once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { cacheErrorCode } from '@cache/core/backend'
import { createMovableClock } from '@cache/core/conformance'
import { waitUntil } from '@cache/workspace'
import type {} from '@cache/workspace/postgres-setup'
import { expect, inject, it } from 'vitest'
import { MessageSplitter, type RowConnection, readRawRows } from '../../src/connections/row-reader.ts'
import { PostgresBackend } from '../../src/index.ts'
import { seededRandom } from '../seeded-random.ts'
import { tableName } from '../table-name.ts'

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

/** The output of a splitter for these pieces, in order. */
function splitAll(pieces: readonly Buffer[]): unknown[] {
  const seen: unknown[] = []
  const splitter = new MessageSplitter(
    (one) => seen.push(one.read(1).map((column) => (Buffer.isBuffer(column) ? column.toString('hex') : column))),
    (others) => {
      // Several whole messages may come together.
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

it('rows and other messages keep their order, wherever the received data is cut', () => {
  expect(splitAll([stream])).toEqual(expected)
  for (let cut = 1; cut < stream.length; cut += 1) {
    expect(splitAll([stream.subarray(0, cut), stream.subarray(cut)])).toEqual(expected)
  }
  expect(splitAll([...stream].map((_, index) => stream.subarray(index, index + 1)))).toEqual(expected)
})

it('rows are complete for chunks of any size', () => {
  const random = seededRandom(20_261_120)
  for (let round = 0; round < 300; round += 1) {
    const pieces: Buffer[] = []
    for (let at = 0; at < stream.length; ) {
      const next = at + 1 + Math.floor(random() * 90)
      pieces.push(stream.subarray(at, next))
      at = next
    }
    expect(splitAll(pieces)).toEqual(expected)
  }
})

it('memory for a long message grows with the received bytes, not with its announced length', () => {
  const value = Buffer.alloc(9_000_000, 0xfd)
  const sent = Buffer.concat([row(Buffer.from('k'), value), message('Z', Buffer.from('I'))])
  const pieces: Buffer[] = []
  for (let at = 0; at < sent.length; at += 65_537) pieces.push(sent.subarray(at, at + 65_537))
  expect(splitAll(pieces)).toEqual([['k', value.toString('hex')], 'Z'])
  const before = process.memoryUsage().arrayBuffers
  splitAll([Buffer.from([0x44, 0x3f, 0xff, 0xff, 0xff, 0, 1])])
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100_000_000)
})

const damages: readonly [string, Buffer][] = [
  ['a reply over HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['a length shorter than its own field', Buffer.from([0x5a, 0, 0, 0, 3, 0, 0])],
  ['a row without columns', message('D', Buffer.alloc(0))],
  ['a row with fewer columns than announced', message('D', Buffer.from([0, 2, 0, 0, 0, 0]))],
  ['a column longer than its row', message('D', Buffer.from([0, 1, 0, 0, 0, 9, 1, 2]))],
]

it.each(damages)("%s ends the connection without an error thrown in the socket's event", (_, damage) => {
  const connection = new EventEmitter() as EventEmitter & RowConnection
  connection.attachListeners = () => {}
  connection.on('dataRow', ({ fields }: { fields: unknown }) => fields)
  readRawRows(connection)
  const ended: unknown[] = []
  const socket = Object.assign(new EventEmitter(), { destroy: (error: Error) => ended.push(error) })
  connection.attachListeners?.(socket)
  socket.emit('data', Buffer.concat([damage, message('Z', Buffer.from('I'))]))
  expect(ended).toEqual([expect.objectContaining({ code: 'EPROTO' })])
})

it.each([{ pipeline: false }, { pipeline: true }])(
  'a server that is not PostgreSQL is `UNAVAILABLE` at once and gets its connection closed %j',
  async (options) => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
      socket.once('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const backend = new PostgresBackend({
      url: `postgres://user:password@127.0.0.1:${port}/app`,
      connectTimeout: '20s',
      timeout: '20s',
      ...options,
    })
    const code = await backend.get('key').catch(cacheErrorCode)
    expect(code).toBe('UNAVAILABLE')
    await waitUntil('the connection to close', () => sockets.size === 0)
    await backend.close()
    server.close()
  },
)

it('a row gives texts to the queries of `pg` itself', () => {
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

it('a connection without the expected methods stays unchanged', () => {
  expect(readRawRows(new EventEmitter())).toBe(false)
})

it.each([
  ['as bytes', {}],
  ['in hexadecimal', { prepare: false }],
] as const)('values of every length come back unchanged %s', async (_, options) => {
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
