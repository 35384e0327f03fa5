import type { CacheBackend } from '@cache/core'
import { type Capability, reasonForAbsence } from '@cache/core/backend'
import { type Harness, throughPrefix, throughTwoHandles } from '@cache/core/conformance'
import { InProcessBus, LayeredBackend } from '@cache/layered'
import { failover, ResilientBackend } from '@cache/resilient'
import { ShardedBackend } from '@cache/sharded'
import { describe, expect, it } from 'vitest'
import { syncBackend } from '../../packages/core/src/conformance/wrappers/through-sync.ts'
import { type FullBackend, fullBackend } from './full-backend.ts'

class TransactionalBus extends InProcessBus {
  inTransaction(): Pick<InProcessBus, 'publish'> {
    return this
  }
}

type Full = (name?: string) => FullBackend
type Decorate = (full: Full) => CacheBackend | Promise<CacheBackend>

function harness(full: Full): Harness {
  return { name: 'full', values: 'references', open: () => full(), openSecond: () => full() }
}

function layered(full: Full): LayeredBackend {
  return new LayeredBackend({ layers: [fullBackend('near', []), full()], bus: new TransactionalBus() })
}

/** Every backend in this repository that is made of other backends. */
const decorators: Readonly<Record<string, Decorate>> = {
  ResilientBackend: (full) => new ResilientBackend({ backend: full() }),
  FailoverBackend: (full) => failover([full(), fullBackend('secondary', [])]),
  ShardedBackend: (full) => new ShardedBackend({ shards: { a: full('a'), b: full('b') } }),
  LayeredBackend: layered,
  'the view of a LayeredBackend in a transaction': (full) => layered(full).inTransaction?.({}) as CacheBackend,
  'the view through a prefix of the conformance suite': (full) =>
    throughPrefix(harness(full)).openSecond?.() as CacheBackend,
  'the two handles in turn of the conformance suite': (full) => throughTwoHandles(harness(full)).open([]),
  'the adapter of a synchronous backend of the conformance suite': (full) => syncBackend(full().sync),
}

/** A call of every optional member, and the members of the inner backend that it has to reach. */
const calls: { readonly [M in Capability]: readonly [(backend: Required<CacheBackend>) => unknown, ...string[]] } = {
  getMany: [(backend) => backend.getMany(['k']), 'getMany'],
  setMany: [(backend) => backend.setMany([{ key: 'k', value: 1, version: 'v', createdAt: 1 }]), 'setMany'],
  deleteMany: [(backend) => backend.deleteMany(['k']), 'deleteMany'],
  compareAndSet: [(backend) => backend.compareAndSet('k', 'v', undefined), 'compareAndSet'],
  increment: [(backend) => backend.increment('k', 1), 'increment'],
  keys: [(backend) => backend.keys()[Symbol.asyncIterator]().next(), 'keys'],
  stats: [(backend) => backend.stats(), 'stats'],
  describe: [(backend) => backend.describe(), 'describe'],
  listen: [(backend) => backend.listen(() => {}, ['error']), 'listen error'],
  inTransaction: [(backend) => backend.inTransaction({}), 'inTransaction'],
  near: [(backend) => [backend.near.get('k'), backend.near.generation?.()], 'near.get', 'near.generation'],
  sync: [(backend) => backend.sync.get('k'), 'sync.get'],
  close: [(backend) => backend.close(), 'close'],
}

/** Members that a decorator has from elsewhere than its part. */
const elsewhere: Readonly<Record<string, readonly Capability[]>> = {
  // Its near layer and the tag records that it remembers.
  LayeredBackend: ['near'],
}

for (const [name, decorate] of Object.entries(decorators)) {
  describe(`the optional members of ${name}`, () => {
    for (const capability of Object.keys(calls) as Capability[]) {
      it(`forward ${capability}, or declare why it is absent`, async () => {
        const reached: string[] = []
        const decorator = await decorate((part = 'full') => fullBackend(part, reached))
        const reason = reasonForAbsence(decorator, capability)
        if (reason !== undefined) {
          expect(reason.length).toBeGreaterThan(15)
          expect(decorator[capability]).toBe(undefined)
          return
        }
        expect(decorator[capability]).not.toBe(undefined)
        const [call, ...members] = calls[capability]
        reached.length = 0
        await call(decorator as Required<CacheBackend>)
        if (elsewhere[name]?.includes(capability)) return
        expect(reached.map((member) => member.replace('sync.', ''))).toEqual(
          expect.arrayContaining(members.map((member) => member.replace('sync.', ''))),
        )
      })
    }
  })
}

describe('the near reader of a LayeredBackend', () => {
  it('has every optional member', () => {
    const { near } = layered((part = 'full') => fullBackend(part, []))
    for (const member of Object.keys(fullBackend('full', []).near)) {
      expect(near[member as keyof typeof near], member).toBeTypeOf('function')
    }
  })
})
