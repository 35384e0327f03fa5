import { Cache, type CacheBackend, SyncCache } from '@cache/core'
import { BreakpointBackend } from '@cache/core/conformance'
import { InProcessBus, LayeredBackend } from '@cache/layered'
import { MemoryBackend } from '@cache/memory'
import { failover, ResilientBackend } from '@cache/resilient'
import { ShardedBackend } from '@cache/sharded'
import { describe, expect, it } from 'vitest'

interface Options {
  readonly closeParts?: boolean
}

type Composite = CacheBackend & { close(): Promise<void> }
type Build = (part: CacheBackend, other: CacheBackend, options?: Options) => Composite

/** Every composite backend, over a part that a test shares and a second part. `ResilientBackend` takes the first alone. */
const composites: Readonly<Record<string, Build>> = {
  'a layered backend, as its last layer': (part, other, options) =>
    new LayeredBackend({ layers: [other, part], ...options }),
  'a layered backend, as its near layer': (part, other, options) =>
    new LayeredBackend({ layers: [part, other], ...options }),
  'a sharded backend': (part, other, options) => new ShardedBackend({ shards: { part, other }, ...options }),
  'a resilient backend': (part, _other, options) => new ResilientBackend({ backend: part, ...options }),
  'a failover backend, as its primary': (part, other, options) => failover([part, other], options),
  'a failover backend, as its secondary': (part, other, options) => failover([other, part], options),
}

const builds = Object.entries(composites)

function part(): BreakpointBackend {
  return new BreakpointBackend(new MemoryBackend({ maxEntries: 100 }))
}

/** How often the part was closed. */
function closings(of: BreakpointBackend): number {
  return of.calls.filter((call) => call === 'close').length
}

/** A part whose `close` fails, after it was counted. */
function unclosable(message: string): BreakpointBackend {
  const failing = part()
  failing.close = async () => {
    failing.calls.push('close')
    throw new Error(message)
  }
  return failing
}

for (const [name, build] of builds) {
  describe(`a part of ${name}`, () => {
    it('R36 is closed with the composite, once, however often that is closed', async () => {
      const own = part()
      const composite = build(own, part())
      expect(closings(own)).toBe(0)
      await Promise.all([composite.close(), composite.close()])
      await composite.close()
      expect(closings(own)).toBe(1)
    })

    it('R36 stays open with closeParts false', async () => {
      const own = part()
      await build(own, part(), { closeParts: false }).close()
      expect(closings(own)).toBe(0)
    })

    for (const [otherName, buildOther] of builds) {
      it(`R36 is shared with ${otherName}, and closed by the last of the two in either order`, async () => {
        for (const order of [
          [0, 1],
          [1, 0],
        ] as const) {
          const shared = part()
          const users = [build(shared, part()), buildOther(shared, part())] as const
          await users[order[0]].close()
          expect(closings(shared)).toBe(0)
          await users[order[1]].close()
          expect(closings(shared)).toBe(1)
        }
      })

      it(`R36 may be ${otherName}, which closes its own parts then`, async () => {
        const innermost = part()
        const inner = buildOther(innermost, part())
        const outer = build(inner, part())
        await outer.close()
        expect(closings(innermost)).toBe(1)
        await inner.close()
        expect(closings(innermost)).toBe(1)
      })
    }

    it('R36 is shared with a cache, and closed by the last of the two in either order', async () => {
      for (const order of [
        [0, 1],
        [1, 0],
      ] as const) {
        const shared = part()
        const users = [build(shared, part()), new Cache({ backend: shared })] as const
        await users[order[0]].close()
        expect(closings(shared)).toBe(0)
        await users[order[1]].close()
        expect(closings(shared)).toBe(1)
      }
    })

    it('R36 is shared with a synchronous cache, and closed by the last of the two in either order', async () => {
      for (const order of [
        [0, 1],
        [1, 0],
      ] as const) {
        const shared = new MemoryBackend({ maxEntries: 100 })
        const users = [build(shared, part()), new SyncCache({ backend: shared })] as const
        await users[order[0]].close()
        expect(await shared.get('k')).toBe(undefined)
        await users[order[1]].close()
        await expect(shared.get('k')).rejects.toMatchObject({ code: 'CLOSED' })
      }
    })

    it('R36 is used until its composite closes also with closeParts false, so that no cache closes it before', async () => {
      const shared = part()
      const composite = build(shared, part(), { closeParts: false })
      await new Cache({ backend: shared }).close()
      expect(closings(shared)).toBe(0)
      await composite.close()
      expect(closings(shared)).toBe(0)
      await new Cache({ backend: shared }).close()
      expect(closings(shared)).toBe(1)
    })

    it('R36 is reached on two ways, and closed once', async () => {
      const shared = part()
      const outer = new ShardedBackend({ shards: { one: build(shared, part()), two: build(shared, part()) } })
      await outer.close()
      expect(closings(shared)).toBe(1)
    })

    it('R36 may be closed by the application before its composite', async () => {
      const [own, other] = [part(), part()]
      const composite = build(own, other)
      await own.close()
      await composite.close()
      expect(closings(other)).toBe(name === 'a resilient backend' ? 0 : 1)
      await expect(composite.get('k')).rejects.toMatchObject({ code: 'CLOSED' })
    })

    it('fails to close: the others are closed all the same, and the composite and its cache tell of it', async () => {
      const [failing, other] = [unclosable('the socket hangs'), part()]
      const composite = build(failing, other)
      await expect(composite.close()).rejects.toThrow('the socket hangs')
      await expect(composite.close()).rejects.toThrow('the socket hangs')
      expect(closings(failing)).toBe(1)
      expect(closings(other)).toBe(name === 'a resilient backend' ? 0 : 1)

      const cache = new Cache({ backend: build(unclosable('the disk is full'), part()) })
      await expect(cache.close()).rejects.toMatchObject({
        code: 'BACKEND_FAILURE',
        operation: 'close',
        message: expect.stringContaining('the disk is full'),
      })
    })

    // Every composite clears all of its parts, except the secondary of a failover, which no call reaches.
    if (!name.includes('secondary')) {
      it('R33 is closed after the calls in flight of its composite', async () => {
        const own = part()
        const composite = build(own, part())
        const held = own.holdBefore('clear')
        const clearing = composite.clear()
        await held.reached
        const closing = composite.close()
        await new Promise((resolve) => setImmediate(resolve))
        expect(closings(own)).toBe(0)
        held.open()
        await Promise.all([clearing, closing])
        expect(closings(own)).toBe(1)
      })
    }
  })
}

describe('a composite backend', () => {
  it('R36 is shared by two caches, of which the last closes it with its parts', async () => {
    for (const [, build] of builds) {
      const own = part()
      const backend = build(own, part())
      const [one, two] = [new Cache({ backend }), new Cache({ backend })]
      await one.close()
      expect(closings(own)).toBe(0)
      await two.close()
      expect(closings(own)).toBe(1)
    }
  })

  it('R36 tells the first failure, in the order of its parts, when several fail to close', async () => {
    const shards = { b: unclosable('second'), a: unclosable('first'), c: part() }
    await expect(new ShardedBackend({ shards }).close()).rejects.toThrow('first')
    expect(closings(shards.b)).toBe(1)
    expect(closings(shards.c)).toBe(1)
  })

  it('R36 that could not be made uses none of its parts', async () => {
    const own = part()
    expect(() => new LayeredBackend({ layers: [part(), own], tagWindow: -1 })).toThrow('tagWindow')
    expect(() => new ShardedBackend({ shards: { own, other: {} as CacheBackend } })).toThrow('shards.other')
    expect(() => new ResilientBackend({ backend: own, timeout: 0 })).toThrow('timeout')
    expect(() => failover([own, part()], { failures: 0 })).toThrow('failures')
    await new Cache({ backend: own }).close()
    expect(closings(own)).toBe(1)
  })
})

describe('the bus of a layered backend', () => {
  const layered = (bus: InProcessBus, options?: Options): LayeredBackend =>
    new LayeredBackend({ layers: [part(), part()], bus, ...options })

  it('R36 is closed by the last layered backend on it', async () => {
    const bus = new InProcessBus()
    const [one, two] = [layered(bus), layered(bus)]
    await one.close()
    await bus.publish({ kind: 'clear', source: 'test', prefix: '' })
    await two.close()
    await expect(bus.publish({ kind: 'clear', source: 'test', prefix: '' })).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('R36 stays open with closeParts false', async () => {
    const bus = new InProcessBus()
    await layered(bus, { closeParts: false }).close()
    await bus.publish({ kind: 'clear', source: 'test', prefix: '' })
  })

  it('fails to close: the layers are closed all the same, and the failure is told', async () => {
    const bus = new InProcessBus()
    bus.close = () => Promise.reject(new Error('the channel is stuck'))
    const layers = [part(), part()]
    await expect(new LayeredBackend({ layers, bus }).close()).rejects.toThrow('the channel is stuck')
    expect(layers.map(closings)).toEqual([1, 1])
  })
})
