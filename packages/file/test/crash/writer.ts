/**
 * Writes to a directory until it is killed. It prints a line before each write and a line after its acknowledgement, each
 * with one system call.
 *
 *     node writer.ts DIR NAME SEED DURABILITY
 */
import { writeSync } from 'node:fs'
import { createVersion } from '@cache/core/backend'
import { FileBackend } from '../../src/index.ts'
import { createRandom } from '../random.ts'
import { largeValueBytes, type Written } from './written.ts'

const [dir = '', name = '', seed = '0', durability = 'normal'] = process.argv.slice(2)
const random = createRandom(Number(seed))
const backend = new FileBackend({ dir, largeValueBytes, durability: durability as 'normal' | 'full' })
const turn = new Int32Array(new SharedArrayBuffer(4))
let step = 0

/** Blocks until the reader has room: lines this short go into a pipe whole, or not at all (`EAGAIN`). */
function say(line: object): void {
  for (;;) {
    try {
      writeSync(1, `${JSON.stringify(line)}\n`)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(turn, 0, 0, 1)
    }
  }
}

function value(): Written {
  step += 1
  const length = random.below(4) === 0 ? largeValueBytes * (1 + random.below(3)) : random.below(300)
  return { writer: name, step, text: String.fromCharCode(97 + (step % 26)).repeat(length) }
}

async function set(keys: readonly string[]): Promise<void> {
  const items = keys.map((key) => ({ key, value: value(), version: createVersion(), createdAt: 1 }))
  for (const { key, value } of items) say({ begin: key, step: value.step, length: value.text.length })
  await (items.length === 1 ? backend.set(items[0] as (typeof items)[0]) : backend.setMany(items))
  for (const { key } of items) say({ done: key })
}

async function remove(key: string): Promise<void> {
  say({ begin: key, step: 0, length: 0 })
  await backend.delete(key)
  say({ done: key })
}

async function count(): Promise<void> {
  say({ begin: 'counter', step: 0, length: 0 })
  await backend.increment('counter', 1)
  say({ done: 'counter' })
}

// Several at a time, on keys of their own, so that kills meet transactions of more than one operation.
async function write(lane: number): Promise<never> {
  const key = (): string => `${name}:${lane}:${random.below(6)}`
  for (;;) {
    const what = random.below(10)
    if (what < 5) await set([key()])
    else if (what < 7) await set([...new Set([key(), key(), key()])])
    else if (what < 8) await remove(key())
    else await count()
  }
}

await Promise.all([0, 1, 2].map((lane) => write(lane)))
