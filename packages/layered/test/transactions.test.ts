import type { Bus, BusMessage, CacheBackend } from '@cache/core/backend'
import { BreakpointBackend } from '@cache/core/conformance'
import { describe, expect, it } from 'vitest'
import { LayeredBackend } from '../src/index.ts'
import { GatedBus } from './manual-bus.ts'
import { Rig, settled } from './rig.ts'

/** The application's transaction: changes and announcements wait for the commit. */
class Transaction {
  readonly steps: (() => unknown)[] = []

  async commit(): Promise<void> {
    for (const step of this.steps.splice(0)) await step()
    await settled()
  }
}

class TransactionalBackend extends BreakpointBackend {
  inTransaction(transaction: unknown): CacheBackend {
    const { steps } = transaction as Transaction
    return {
      name: this.name,
      get: (key) => this.get(key),
      set: async (item) => void steps.push(() => this.set(item)),
      delete: async (key) => {
        steps.push(() => this.delete(key))
        return (await this.get(key)) !== undefined
      },
      clear: async (prefix) => void steps.push(() => this.clear(prefix)),
      compareAndSet: async (key, expected, next) => {
        if ((await this.get(key))?.version !== expected) return false
        steps.push(() => this.compareAndSet(key, expected, next))
        return true
      },
      increment: async (key, delta) => {
        steps.push(() => this.increment(key, delta))
        return Number((await this.get(key))?.value ?? 0) + delta
      },
    }
  }
}

class TransactionalBus extends GatedBus {
  inTransaction(transaction: unknown): Pick<Bus, 'publish'> {
    const { steps } = transaction as Transaction
    return { publish: async (message: BusMessage) => void steps.push(() => this.publish(message)) }
  }
}

async function twoNodes(): Promise<{ rig: Rig; one: LayeredBackend; two: LayeredBackend }> {
  const rig = new Rig()
  const bus = new TransactionalBus()
  const open = async (name: string): Promise<LayeredBackend> => {
    const { cache } = await rig.node(new TransactionalBackend(rig.store, name), { bus })
    return cache
  }
  return { rig, one: await open('one'), two: await open('two') }
}

describe('a layered backend in a transaction', () => {
  const changes: Record<string, (view: CacheBackend, rig: Rig) => Promise<unknown>> = {
    delete: (view) => view.delete('k'),
    set: (view, rig) => view.set(rig.item('k', 8)),
    clear: (view) => view.clear(),
    'compareAndSet to an item': async (view, rig) =>
      view.compareAndSet?.('k', (await view.get('k'))?.version, rig.item('k', 8)),
    'compareAndSet to nothing': async (view) => view.compareAndSet?.('k', (await view.get('k'))?.version, undefined),
    increment: (view) => view.increment?.('k', 1) ?? Promise.reject(new Error('the view has no increment')),
  }
  for (const [name, change] of Object.entries(changes)) {
    it(`${name}: near copies of every process are served until the commit and not after it`, async () => {
      const { rig, one, two } = await twoNodes()
      await one.set(rig.item('k', 7))
      await two.get('k')
      const transaction = new Transaction()
      await change(one.inTransaction?.(transaction) as CacheBackend, rig)
      expect([one.near.get('k')?.value, two.near.get('k')?.value]).toEqual([7, 7])
      await transaction.commit()
      expect([one.near.get('k'), two.near.get('k')]).toEqual([undefined, undefined])
      const expected = ['delete', 'clear', 'compareAndSet to nothing'].includes(name) ? undefined : 8
      expect([(await one.get('k'))?.value, (await two.get('k'))?.value]).toEqual([expected, expected])
    })
  }

  it('announces tag records and neither locks nor what changed nothing', async () => {
    const { rig, one } = await twoNodes()
    const transaction = new Transaction()
    const view = one.inTransaction?.(transaction) as CacheBackend
    await view.set(rig.item('@#:tag', 'v'))
    await view.set(rig.item('@!:lock', 'v'))
    expect(await view.compareAndSet?.('k', 'another version', rig.item('k', 1))).toBe(false)
    expect(transaction.steps.length).toBe(3)
  })

  it('stores and deletes batches in one call each, and announces the keys of a batch in one message', async () => {
    const rig = new Rig()
    const bus = new TransactionalBus()
    const steps: string[] = []
    const authority = new BreakpointBackend(rig.store)
    const view = new BreakpointBackend(rig.memory())
    const last = Object.assign(authority, { inTransaction: () => view })
    const { cache } = await rig.node(last, {
      bus: Object.assign(bus, {
        inTransaction: () => ({
          publish: async (message: BusMessage) => void steps.push(JSON.stringify({ ...message, source: '' })),
        }),
      }),
    })
    const inside = cache.inTransaction?.({}) as CacheBackend
    await inside.setMany?.([rig.item('a', 1), rig.item('@#:tag', 'v'), rig.item('@!:lock', 'v')])
    expect(await inside.deleteMany?.(['a', 'none'])).toBe(1)
    expect(view.calls).toEqual(['setMany a,@#:tag,@!:lock', 'deleteMany a,none'])
    expect(steps).toEqual([
      JSON.stringify({ kind: 'delete', source: '', keys: ['a', '@#:tag'] }),
      JSON.stringify({ kind: 'delete', source: '', keys: ['a', 'none'] }),
    ])
  })

  it('is there only where the authority and the bus take part in transactions', async () => {
    const rig = new Rig()
    const far = new TransactionalBackend(rig.store, 'far')
    const layers = [rig.memory(), far]
    expect(new LayeredBackend({ layers, bus: new GatedBus() }).inTransaction).toBe(undefined)
    expect(new LayeredBackend({ layers: [rig.memory(), far] }).inTransaction).toBe(undefined)
    expect(new LayeredBackend({ layers: [rig.memory(), rig.far()], bus: new TransactionalBus() }).inTransaction).toBe(
      undefined,
    )
    const closed = new LayeredBackend({ layers, bus: new TransactionalBus() })
    const { inTransaction } = closed
    await closed.close()
    expect(() => inTransaction?.(new Transaction())).toThrow('closed')
  })
})
