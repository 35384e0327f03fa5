import { createHash, randomBytes } from 'node:crypto'
import { open as openFile, readFile, writeFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { cacheErrorCode } from '@cache/core/backend'
import { expect, it } from 'vitest'
import { FileBackend } from '../../src/index.ts'
import { check } from '../../src/maintenance/index.ts'
import { getStream, setStream } from '../../src/streams/index.ts'
import { valueFiles } from '../conformance/file-harness.ts'
import { item } from '../items.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

const meta = (key: string): Omit<ReturnType<typeof item>, 'value'> => {
  const { value: _, ...rest } = item(key, 0)
  return rest
}

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

it.each([0, 1, 262_143, 262_144, 262_145, 3_000_000])('a stream of %i bytes comes back whole', async (length) => {
  const backend = new FileBackend({ dir: await temporaryDirectory() })
  const bytes = randomBytes(length)
  expect(await setStream(backend, meta('s'), pieces(bytes, 70_001))).toBe(length)
  const stream = (await getStream(backend, 's')) as Readable
  expect((await buffer(stream)).equals(bytes)).toBe(true)
  expect(Buffer.compare((await backend.get('s'))?.value as Buffer, bytes)).toBe(0)
  expect((await check(backend)).problems).toEqual([])
  await backend.close()
})

it('a value far above maxDecodedBytes can be read as a stream', async () => {
  const backend = new FileBackend({ dir: await temporaryDirectory(), maxDecodedBytes: 1_000_000 })
  const hash = createHash('sha256')
  async function* source(): AsyncGenerator<Buffer> {
    for (let n = 0; n < 200; n += 1) {
      const piece = Buffer.alloc(100_000, n)
      hash.update(piece)
      yield piece
    }
  }
  expect(await setStream(backend, meta('s'), source())).toBe(20_000_000)
  const found = createHash('sha256')
  for await (const piece of (await getStream(backend, 's')) as Readable) found.update(piece as Buffer)
  expect(found.digest('hex')).toBe(hash.digest('hex'))
  expect(await backend.get('s').catch(cacheErrorCode)).toBe('UNSUPPORTED')
  await backend.close()
})

it('a source that fails leaves the old item and no file', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('s', 'old'))
  async function* source(): AsyncGenerator<Buffer> {
    yield Buffer.alloc(600_000)
    throw new Error('the source broke')
  }
  await expect(setStream(backend, meta('s'), source())).rejects.toMatchObject({
    code: 'BACKEND_FAILURE',
    cause: { message: 'the source broke' },
  })
  expect((await backend.get('s'))?.value).toBe('old')
  expect(await valueFiles(dir)).toEqual([])
  await backend.close()
})

it('a reader of a stream gets the whole old value during its replacement', async () => {
  const backend = new FileBackend({ dir: await temporaryDirectory() })
  const first = randomBytes(2_000_000)
  await setStream(backend, meta('s'), Readable.from(pieces(first, 100_000)))
  const stream = (await getStream(backend, 's')) as Readable
  const iterator = stream[Symbol.asyncIterator]()
  const head = (await iterator.next()).value as Buffer
  await setStream(backend, meta('s'), pieces(randomBytes(1000), 100))
  const rest: Buffer[] = [head]
  for (let piece = await iterator.next(); !piece.done; piece = await iterator.next()) rest.push(piece.value as Buffer)
  expect(Buffer.concat(rest).equals(first)).toBe(true)
  await backend.close()
})

it('chunks that were truncated, changed or exchanged destroy the stream with DAMAGED', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await setStream(backend, meta('s'), pieces(randomBytes(800_000), 100_000))
  const [path] = (await valueFiles(dir)) as [string]
  const whole = await readFile(path)
  const chunk = 8 + whole.readUInt32LE(0)
  const exchanged = Buffer.concat([
    whole.subarray(chunk, 2 * chunk),
    whole.subarray(0, chunk),
    whole.subarray(2 * chunk),
  ])
  const changed = Buffer.from(whole)
  changed[400_000] = (changed[400_000] as number) ^ 1
  for (const damaged of [whole.subarray(0, 2 * chunk), whole.subarray(0, whole.length - 4), exchanged, changed]) {
    await writeFile(path, damaged)
    const stream = (await getStream(backend, 's')) as Readable
    expect(await buffer(stream).catch(cacheErrorCode)).toBe('DAMAGED')
    expect(await backend.get('s')).toBe(undefined)
  }
  await backend.close()
})

it('streams are encrypted when values are', async () => {
  const dir = await temporaryDirectory()
  const keys = [randomBytes(32)]
  const backend = new FileBackend({ dir, encryption: { keys } })
  await setStream(backend, meta('s'), [Buffer.alloc(500_000, 'secret ')])
  const [path] = (await valueFiles(dir)) as [string]
  expect((await readFile(path)).includes('secret')).toBe(false)
  expect((await buffer((await getStream(backend, 's')) as Readable)).subarray(0, 7).toString()).toBe('secret ')
  await backend.close()
})

it('text and bytes that were stored whole can be read as a stream, but other values cannot', async () => {
  const backend = new FileBackend({ dir: await temporaryDirectory() })
  await backend.set(item('text', 'grüße'))
  await backend.set(item('bytes', new Uint8Array([1, 2, 3])))
  await backend.set(item('object', { a: 1 }))
  expect((await buffer((await getStream(backend, 'text')) as Readable)).toString()).toBe('grüße')
  expect([...(await buffer((await getStream(backend, 'bytes')) as Readable))]).toEqual([1, 2, 3])
  expect(await getStream(backend, 'object').catch(cacheErrorCode)).toBe('UNSUPPORTED')
  expect(await getStream(backend, 'absent')).toBe(undefined)
  await backend.close()
})

it('the bytes of a file handle can be stored as a stream', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const source = new URL(import.meta.url).pathname
  const file = await openFile(source)
  await setStream(backend, meta('s'), file.createReadStream())
  expect((await buffer((await getStream(backend, 's')) as Readable)).equals(await readFile(source))).toBe(true)
  await backend.close()
})
