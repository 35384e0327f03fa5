import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import { type CacheError, cacheErrorCode } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'
import { outageRules } from '../every-call/outage-rules.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { everyOperation } from '../stage/every-operation.ts'
import { show } from '../stage/show.ts'
import type { Chapter } from './chapter.ts'

/** The codes for a store that does not answer. A circuit breaker fails without a call of the store. */
const outageCodes = ['UNAVAILABLE', 'TIMEOUT', 'CIRCUIT_OPEN'] as const

const rules: readonly Rule[] = [
  rule({
    id: '10.1',
    says: 'while the store is unreachable, every call rejects with `UNAVAILABLE`, `TIMEOUT` or `CIRCUIT_OPEN` within the bound',
    means: ['break', 'heal'],
    async check(stage) {
      const { backend, harness } = stage
      const bound = harness.failureBound ?? 2000
      await backend.set(stage.item('k', 1))
      await harness.break()
      try {
        for (const [name, call] of everyOperation(backend, stage)) {
          const rejects = (): Promise<void> => stage.rejects(call, ...outageCodes)
          await stage.within(bound, rejects, `${name} while the store cannot be reached`)
        }
        const calls = everyOperation(backend, stage).map(([, call]) => stage.rejects(call, ...outageCodes))
        await stage.within(bound, () => Promise.all(calls), 'all calls at once')
      } finally {
        await harness.heal()
      }
    },
  }),

  rule({
    id: '10.2',
    says: 'the same handle works again once the store is reachable again',
    means: ['break', 'heal'],
    async check(stage) {
      const { backend, harness } = stage
      await backend.set(stage.item('k', 1))
      await harness.break()
      try {
        await stage.rejects(() => backend.get('k'), ...outageCodes)
      } finally {
        await harness.heal()
      }
      const item = stage.item('k', 'back')
      await stage.until(async () => works(() => backend.set(item)), 'the handle to work again')
      await stage.holds(item)
      for (const [name, call] of everyOperation(backend, stage)) {
        await stage.within(stage.patience, call, `${name} after the store is back`)
      }
    },
  }),

  rule({
    id: '10.3',
    says: 'after `close`, every call rejects with `CLOSED`',
    members: ['close'],
    async check(stage) {
      const { backend } = stage
      await backend.set(stage.item('k', 1))
      await stage.close(backend)
      for (const [name, call] of everyOperation(backend, stage)) {
        await stage.within(stage.patience, () => stage.rejects(call, 'CLOSED'), `${name} after close`)
      }
    },
  }),

  rule({
    id: '10.4',
    says: 'calls in flight during `close` settle: each resolves, or rejects with a `CacheError`',
    members: ['close'],
    async check(stage) {
      const { backend } = stage
      const items = Array.from({ length: 50 }, (_, n) => stage.item(`k${n}`, n))
      const sets = items.map((item) => outcome(backend.set(item)))
      const others = everyOperation(backend, stage)
        .filter(([name]) => !name.startsWith('clear'))
        .map(([, call]) => outcome(call()))
      await stage.close(backend)
      const stored: Item[] = []
      for (const [n, set] of sets.entries()) {
        const error = await stage.within(stage.patience, () => set, 'a set in flight')
        if (error !== undefined) assertCacheError(error)
        else stored.push(items[n] as Item)
      }
      for (const other of others) {
        const error = await stage.within(stage.patience, () => other, 'a call in flight')
        if (error !== undefined) assertCacheError(error)
      }
      // Another handle must find every acknowledged item.
      if (!stage.harness.openSecond) return
      const second = await stage.opened(stage.harness.openSecond())
      for (const item of stored) if (item.key !== 'k') await stage.holds(item, second)
    },
  }),

  rule({
    id: '10.5',
    says: '`close` may be called twice, in sequence or concurrently',
    members: ['close'],
    async check(stage) {
      const { backend } = stage
      await backend.set(stage.item('k', 1))
      await stage.within(stage.patience, () => Promise.all([backend.close(), backend.close()]), 'two closes at once')
      await stage.within(stage.patience, () => backend.close(), 'a close after close')
    },
  }),

  rule({
    id: '10.6',
    says: '`close` of one handle leaves the other handles on the same data open',
    members: ['close'],
    means: ['openSecond'],
    async check(stage) {
      const second = await stage.opened(stage.harness.openSecond())
      const item = stage.item('k', 1)
      await stage.backend.set(item)
      await stage.close(stage.backend)
      await stage.holds(item, second)
      const next = stage.item('k', 2)
      await second.set(next)
      await stage.holds(next, second)
      const third = await stage.opened(stage.harness.openSecond())
      await stage.holds(next, third)
    },
  }),

  rule({
    id: '10.7',
    says: 'an injected client still works after `close`',
    means: ['openInjected'],
    opens: false,
    async check(stage) {
      const injected = await stage.harness.openInjected()
      try {
        const backend = await stage.opened(injected.backend)
        const item = stage.item('k', 1)
        await backend.set(item)
        await stage.holds(item, backend)
        await injected.works()
        await stage.close(backend)
        await stage.within(stage.patience, () => injected.works(), 'the client after close')
      } finally {
        await injected.end()
      }
    },
  }),

  rule({
    id: '10.8',
    says: '`close` leaves no timer, socket or file open that would keep the process alive',
    members: ['close'],
    async check(stage) {
      const open = async (): Promise<CacheBackend> => {
        return stage.opened(stage.harness.openSecond ? stage.harness.openSecond() : stage.harness.open())
      }
      const before = resources()
      const handle = await open()
      const items = Array.from({ length: 20 }, (_, n) => stage.item(`k${n}`, n, { expiresAt: stage.now() + 60_000 }))
      await Promise.all(items.map((item) => handle.set(item)))
      for (const item of items) await stage.holds(item, handle)
      await stage.close(handle)
      await stage
        .until(() => left(before).length === 0, 'the handle to close its timers, sockets and files')
        .catch((error: unknown) => {
          throw new assert.AssertionError({ message: `${show(error)}; left: ${left(before).join(', ')}` })
        })
    },
  }),

  rule({
    id: '10.9',
    says: 'while the store hangs, every call rejects with `TIMEOUT`, `UNAVAILABLE` or `CIRCUIT_OPEN` within the bound; afterwards the handle works again',
    means: ['freeze', 'thaw'],
    async check(stage) {
      const { backend, harness } = stage
      const bound = harness.failureBound ?? 2000
      await backend.set(stage.item('k', 1))
      await harness.freeze()
      try {
        for (const [name, call] of everyOperation(backend, stage)) {
          const rejects = (): Promise<void> => stage.rejects(call, ...outageCodes)
          await stage.within(bound, rejects, `${name} while the store hangs`)
        }
      } finally {
        await harness.thaw()
      }
      const item = stage.item('back', 'again')
      await stage.until(async () => works(() => backend.set(item)), 'the handle to work again')
      await stage.holds(item)
    },
  }),

  rule({
    id: '10.10',
    says: 'an error names the method, the backend and, for a call with one key, the key',
    members: ['close'],
    async check(stage) {
      const { backend } = stage
      assert(typeof backend.name === 'string' && backend.name !== '', 'the backend has no name')
      if (stage.harness.values === 'copies') {
        const item = stage.item('k', () => 1)
        await names(() => backend.set(item), 'set')
        if (backend.compareAndSet) await names(() => backend.compareAndSet?.('k', undefined, item), 'compareAndSet')
      }
      if (backend.increment) {
        await backend.set(stage.item('k', 'text'))
        await names(() => backend.increment?.('k', 1), 'increment')
      }
      await stage.close(backend)
      const withKey = ['get', 'set', 'delete', 'compareAndSet', 'increment']
      for (const [name, call] of everyOperation(backend, stage)) {
        const [operation = name] = name.split(' ')
        await names(call, operation, withKey.includes(operation))
      }
    },
  }),
]

export const failing: Chapter = { title: '10 Failure and closing', rules: [...rules, ...outageRules] }

/** The resources that keep this process alive, counted by kind. */
function resources(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

/** The kinds that have become more. */
function left(before: ReadonlyMap<string, number>): string[] {
  return [...resources()].filter(([kind, count]) => count > (before.get(kind) ?? 0)).map(([kind]) => kind)
}

async function names(call: () => unknown, operation: string, withKey = true): Promise<void> {
  const error = await outcome(Promise.resolve(call()))
  assertCacheError(error)
  const found = error as CacheError
  assert.equal(found.operation, operation, `the operation of ${show(error)}`)
  assert(found.backend !== undefined && found.backend !== '', `${operation}: the error names no backend`)
  // A view under a prefix may name the key of the store.
  if (withKey)
    assert(found.key?.endsWith('k') || found.key?.endsWith('n'), `${operation}: the key is ${show(found.key)}`)
}

async function works(call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call()
    return true
  } catch {
    return false
  }
}

/** Resolves to the error, or to `undefined` when the work resolved. Handles the rejection at once. */
function outcome(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  )
}

function assertCacheError(error: unknown): void {
  assert(cacheErrorCode(error) !== undefined, `rejected with ${show(error)}, which is no CacheError`)
}
