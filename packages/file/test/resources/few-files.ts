/**
 * Stores and reads many value files at once while the process may open few files, and prints the outcomes as JSON.
 *
 *     node few-files.ts DIR
 */
import { readdirSync } from 'node:fs'
import { cacheErrorCode, createVersion } from '@cache/core/backend'
import { FileBackend } from '../../src/index.ts'
import { check } from '../../src/maintenance/index.ts'
import { getStream } from '../../src/streams/index.ts'

const [dir = ''] = process.argv.slice(2)
const backend = new FileBackend({ dir, largeValueBytes: 1000 })
const keys = Array.from({ length: 600 }, (_, n) => `key ${n}`)
const textOf = (key: string): string => key.repeat(400)
const codes: unknown[] = []
backend.listen((event) => codes.push(event.type === 'error' ? cacheErrorCode(event.error) : event.type))

await Promise.all(keys.map((key) => backend.set({ key, value: textOf(key), version: createVersion(), createdAt: 1 })))
const single = await Promise.all(keys.map((key) => backend.get(key)))
const many = await backend.getMany(keys)
const right = (found: readonly ({ value: unknown } | undefined)[]): number =>
  found.filter((one, n) => one?.value === textOf(keys[n] as string)).length
const { problems } = await check(backend)
// Streams that wait for readers keep their files open. Those beyond the limit wait until others are closed.
const streams = keys.slice(0, 200).map((key) => getStream(backend, key))
const texts = await Promise.all(
  streams.map(async (stream) => Buffer.concat(await ((await stream)?.toArray() ?? [])).toString()),
)
const streamed = texts.filter((text, n) => text === textOf(keys[n] as string)).length
const open = readdirSync('/proc/self/fd').length
await backend.close()
console.log(JSON.stringify({ single: right(single), many: right(many), streamed, problems, codes, few: open < 60 }))
