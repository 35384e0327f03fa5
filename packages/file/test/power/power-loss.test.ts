import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheErrorCode } from '@cache/core/backend'
import { afterEach, expect, it } from 'vitest'
import { FileBackend } from '../../src/index.ts'
import { flush } from '../../src/maintenance/index.ts'
import { JobQueue } from '../../src/queue/index.ts'
import { setStream } from '../../src/streams/index.ts'
import { transact } from '../../src/transactions/index.ts'
import { item } from '../items.ts'
import { createRandom, seedOf } from '../random.ts'
import { temporaryDirectory } from '../temporary-directory.ts'
import { SyncedCopy } from './synced-copy.ts'

const keys = ['a', 'b', 'c', 'd']
const large = (n: number): string => `${n}`.padEnd(300_000, 'x')

let copy: SyncedCopy | undefined
let copies = 0

afterEach(() => {
  copy?.end()
  copy = undefined
})

async function observed(): Promise<{ copy: SyncedCopy; dir: string; root: string }> {
  const dir = await temporaryDirectory()
  const root = join(dir, '..', 'disk')
  await mkdir(root)
  copy = await SyncedCopy.of(root)
  return { copy, root, dir: join(root, 'not', 'there', 'cache') }
}

/** The values that the next process finds in `dir` after a loss of power at this moment. */
async function afterPowerLoss(disk: SyncedCopy, root: string, dir: string): Promise<unknown[]> {
  copies += 1
  const to = `${root}-${copies}`
  disk.write(to)
  const backend = new FileBackend({ dir: to + dir.slice(root.length) })
  try {
    const values = (await backend.getMany(keys)).map((found) => String(found?.value).slice(0, 9))
    return [...values, String((await new JobQueue(backend, 'q').peek('back'))?.value).slice(0, 9)]
  } finally {
    await backend.close()
  }
}

function stateOf(model: ReadonlyMap<string, unknown>): unknown[] {
  return [...keys, 'q'].map((key) => String(model.get(key)).slice(0, 9))
}

it('a loss of power at any moment costs no acknowledged write with durability full', async () => {
  const seed = seedOf('POWER_SEED')
  const random = createRandom(seed)
  const { copy: disk, dir, root } = await observed()
  const backend = new FileBackend({ dir, durability: 'full' })
  let model = new Map<string, unknown>()
  let next = model
  let moments = 0
  disk.before = async (path) => {
    if (!path.endsWith('-wal')) return
    // Background work, such as the removal of a replaced value's file, continues meanwhile.
    for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    moments += 1
    const found = await afterPowerLoss(disk, root, dir)
    expect([stateOf(model), stateOf(next)], `repeat with POWER_SEED=${seed}`).toContainEqual(found)
  }
  for (let n = 0; n < 40; n += 1) {
    const key = keys[random.below(keys.length)] as string
    const value = random.below(3) === 0 ? n : large(n)
    const what = random.below(6)
    next = new Map(model)
    if (what === 0) {
      next.delete(key)
      await backend.delete(key)
    } else if (what === 1) {
      next.set(key, large(n))
      const { key: _, value: __, ...rest } = item(key, 0)
      await setStream(backend, { key, ...rest }, [Buffer.from(large(n))])
    } else if (what === 2) {
      next.set('q', value)
      await new JobQueue(backend, 'q').push(value)
    } else if (what === 3) {
      next.set('a', value).set('b', value)
      await transact(backend, (tx) => {
        tx.set(item('a', value))
        tx.set(item('b', value))
      })
    } else {
      next.set(key, value)
      await backend.set(item(key, value))
    }
    model = next
    expect(await afterPowerLoss(disk, root, dir), `repeat with POWER_SEED=${seed}`).toEqual(stateOf(model))
  }
  disk.before = async () => undefined
  await backend.close()
  expect(moments).toBeGreaterThanOrEqual(40)
}, 120_000)

it('a loss of power costs no write acknowledged before a flush with durability normal, files included', async () => {
  const { copy: disk, dir, root } = await observed()
  const backend = new FileBackend({ dir, syncInterval: Infinity })
  await backend.setMany([item('a', 1), item('b', large(2))])
  await new JobQueue(backend, 'q').push(large(3))
  expect(await afterPowerLoss(disk, root, dir)).toEqual(Array(5).fill('undefined'))
  await flush(backend)
  const whole = ['1', large(2).slice(0, 9), 'undefined', 'undefined', large(3).slice(0, 9)]
  expect(await afterPowerLoss(disk, root, dir)).toEqual(whole)
  await backend.set(item('c', large(4)))
  await backend.close()
  whole[2] = large(4).slice(0, 9)
  expect(await afterPowerLoss(disk, root, dir)).toEqual(whole)
})

it('a flush waits for a running one, and the next flush repeats a failed one', async () => {
  const { copy: disk, dir, root } = await observed()
  const backend = new FileBackend({ dir, syncInterval: Infinity })
  await backend.set(item('a', 1))
  let letGo: (() => void) | undefined
  disk.before = (path) =>
    path.endsWith('-wal') && letGo === undefined ? new Promise((resolve) => (letGo = resolve)) : Promise.resolve()
  const first = flush(backend)
  while (letGo === undefined) await new Promise((resolve) => setImmediate(resolve))
  let second = false
  const flushing = flush(backend).then(() => {
    second = true
  })
  for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  expect(second).toBe(false)
  letGo()
  await Promise.all([first, flushing])
  await backend.set(item('b', 2))
  disk.before = () => Promise.reject(Object.assign(new Error('no'), { code: 'EIO' }))
  expect(await flush(backend).catch(cacheErrorCode)).toBe('UNAVAILABLE')
  disk.before = async () => undefined
  await flush(backend)
  expect((await afterPowerLoss(disk, root, dir)).slice(0, 2)).toEqual(['1', '2'])
  await backend.close()
})
