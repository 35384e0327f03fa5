import { cacheErrorCode } from '@cache/core/backend'
import { expect, it } from 'vitest'
import { FileBackend } from '../../src/index.ts'
import { check } from '../../src/maintenance/index.ts'
import { type FileTransaction, transact } from '../../src/transactions/index.ts'
import { withIndex } from '../conformance/file-harness.ts'
import { item } from '../items.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

const large = 'x'.repeat(300_000)

it('a transaction writes all its changes, large values too', async () => {
  const backend = new FileBackend({ dir: await temporaryDirectory() })
  await backend.set(item('gone', 1))
  const result = await transact(backend, async (tx) => {
    tx.set(item('a', 1))
    tx.set(item('large', large))
    tx.delete('gone')
    return tx.increment('n', 5)
  })
  expect(result).toBe(5)
  const values = (await backend.getMany(['a', 'large', 'gone', 'n'])).map((found) => found?.value)
  expect(values).toEqual([1, large, undefined, 5])
  await backend.close()
})

it('a callback that rejects writes nothing', async () => {
  const backend = new FileBackend({ dir: await temporaryDirectory() })
  const failing = transact(backend, async (tx) => {
    tx.set(item('a', 1))
    await tx.increment('n', 1)
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  expect(await backend.getMany(['a', 'n'])).toEqual([undefined, undefined])
  await backend.close()
})

it('a transaction reads what it wrote itself', async () => {
  const backend = new FileBackend({ dir: await temporaryDirectory() })
  await backend.set(item('a', 'old'))
  const seen = await transact(backend, async (tx) => {
    tx.set(item('a', 'new'))
    const first = (await tx.get('a'))?.value
    tx.delete('a')
    return [first, await tx.get('a')]
  })
  expect(seen).toEqual(['new', undefined])
  await backend.close()
})

it('a transaction runs again when items that it read have changed', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const other = new FileBackend({ dir })
  await backend.set(item('a', 1))
  let runs = 0
  await transact(backend, async (tx) => {
    runs += 1
    const value = (await tx.get('a'))?.value as number
    if (runs === 1) await other.set(item('a', 10))
    tx.set(item('b', value + 1))
  })
  expect(runs).toBe(2)
  expect((await backend.get('b'))?.value).toBe(11)
  await backend.close()
  await other.close()
})

it('a transaction checks an absent key that it read like a version', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const other = new FileBackend({ dir })
  let runs = 0
  await transact(backend, async (tx) => {
    runs += 1
    const found = await tx.get('a')
    if (runs === 1) await other.set(item('a', 'theirs'))
    if (found === undefined) tx.set(item('a', 'mine'))
  })
  expect((await backend.get('a'))?.value).toBe('theirs')
  await backend.close()
  await other.close()
})

it('a transaction that always loses rejects with CONFLICT and leaves no file', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const other = new FileBackend({ dir })
  const losing = transact(
    backend,
    async (tx) => {
      await tx.get('a')
      await other.increment('a', 1)
      tx.set(item('b', large))
    },
    { attempts: 3 },
  )
  expect(await losing.catch(cacheErrorCode)).toBe('CONFLICT')
  expect(await backend.get('b')).toBe(undefined)
  expect((await check(backend)).problems).toEqual([])
  await backend.close()
  await other.close()
})

it('many transactions at once that transfer between accounts keep the sum exact', async () => {
  const dir = await temporaryDirectory()
  const handles = [0, 1, 2, 3].map(() => new FileBackend({ dir }))
  const [first] = handles as [FileBackend]
  for (let n = 0; n < 5; n += 1) await first.set(item(`account ${n}`, 100))
  const total = async (backend: FileBackend): Promise<number> => {
    const accounts = await backend.getMany([0, 1, 2, 3, 4].map((n) => `account ${n}`))
    return accounts.reduce((sum, account) => sum + (account?.value as number), 0)
  }
  const move = (backend: FileBackend, n: number): Promise<unknown> =>
    transact(backend, async (tx) => {
      await tx.increment(`account ${n % 5}`, -7)
      await tx.increment(`account ${(n * 3 + 1) % 5}`, 7)
    })
  const moving = handles.map(async (backend, lane) => {
    for (let n = 0; n < 40; n += 1) await move(backend, n * 4 + lane)
  })
  const watcher = new FileBackend({ dir })
  const watching = (async () => {
    for (let n = 0; n < 200; n += 1) expect(await total(watcher)).toBe(500)
  })()
  await Promise.all([...moving, watching])
  expect(await total(first)).toBe(500)
  for (const backend of [...handles, watcher]) await backend.close()
})

it('a transaction treats a damaged item as absent', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('a', { n: 1 }))
  await withIndex(dir, (database) => database.exec(`update item set frame = x'00'`))
  await transact(backend, async (tx) => {
    if ((await tx.get('a')) === undefined) tx.set(item('a', 'new'))
  })
  expect((await backend.get('a'))?.value).toBe('new')
  await backend.close()
})

it('all increments of one key in a transaction count, awaited or not', async () => {
  const backend = new FileBackend({ dir: await temporaryDirectory() })
  await transact(backend, async (tx) => {
    await Promise.all([tx.increment('a'), tx.increment('a', 2), tx.increment('b')])
    void tx.increment('a', 4)
    void tx.increment('b', 8)
  })
  expect((await backend.getMany(['a', 'b'])).map((found) => found?.value)).toEqual([7, 9])
  await backend.close()
})

it('a transaction that has ended refuses further calls', async () => {
  const backend = new FileBackend({ dir: await temporaryDirectory() })
  let ended: FileTransaction | undefined
  await transact(backend, (tx) => {
    ended = tx
  })
  const tx = ended as FileTransaction
  expect(() => tx.set(item('a', 1))).toThrow('ended')
  expect(() => tx.delete('a')).toThrow('ended')
  expect(await tx.increment('a').catch(cacheErrorCode)).toBe('CLOSED')
  expect(await tx.get('a').catch(cacheErrorCode)).toBe('CLOSED')
  expect(await backend.get('a')).toBe(undefined)
  await backend.close()
})

it('a callback that is no function and a number of attempts below 1 are refused', async () => {
  const backend = new FileBackend({ dir: await temporaryDirectory() })
  expect(await transact(backend, 'x' as unknown as () => void).catch(cacheErrorCode)).toBe('INVALID_ARGUMENT')
  expect(await transact(backend, () => 1, { attempts: 0 }).catch(cacheErrorCode)).toBe('INVALID_ARGUMENT')
  await backend.close()
})
