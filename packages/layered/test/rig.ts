import { type BackendEvent, createVersion, type Item } from '@cache/core/backend'
import { BreakpointBackend, createMovableClock, type MovableClock } from '@cache/core/conformance'
import { MemoryBackend } from '@cache/memory'
import { LayeredBackend, type LayeredOptions } from '../src/index.ts'
import { GatedBus } from './manual-bus.ts'

/** A process of its own: a near layer that answers at once, on the common last layer. */
export interface Node {
  readonly cache: LayeredBackend
  readonly near: MemoryBackend
  readonly events: BackendEvent[]
}

/** One store with as many processes as a test needs; every one has its own view of the far layer, gates included. */
export class Rig {
  readonly clock: MovableClock = createMovableClock()
  readonly store: MemoryBackend = new MemoryBackend({ maxEntries: 100_000, clock: this.clock })
  readonly bus: GatedBus = new GatedBus()

  memory(): MemoryBackend {
    return new MemoryBackend({ maxEntries: 100_000, clock: this.clock })
  }

  far(): BreakpointBackend {
    return new BreakpointBackend(this.store, 'far')
  }

  /** A process with one near layer and the bus. Resolves when it hears the bus. */
  async node(far: BreakpointBackend, options: Partial<LayeredOptions> = {}): Promise<Node> {
    const near = this.memory()
    const cache = new LayeredBackend({ layers: [near, far], bus: this.bus, clock: this.clock, ...options })
    const events: BackendEvent[] = []
    cache.listen((event) => events.push(event))
    await settled()
    return { cache, near, events }
  }

  item(key: string, value: unknown, rest: Partial<Item> = {}): Item {
    return { key, value, version: createVersion(), createdAt: this.clock.now(), ...rest }
  }
}

/** Resolves when everything that waits for nothing but other promises has run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
