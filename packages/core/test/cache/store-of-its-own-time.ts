import { BreakpointBackend } from '../../src/conformance/index.ts'
import type { Item } from '../../src/index.ts'
import type { MapBackend } from '../conformance/map-backend.ts'

/** A store that measures lifetimes by its own clock, as Redis does, for a process whose clock is ahead. */
export class StoreOfItsOwnTime extends BreakpointBackend {
  readonly #ahead: number

  constructor(inner: MapBackend, ahead: number) {
    super(inner)
    this.#ahead = ahead
  }

  override compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    const { expiresAt } = next ?? {}
    return super.compareAndSet(
      key,
      expected,
      next && expiresAt !== undefined ? { ...next, expiresAt: expiresAt - this.#ahead } : next,
    )
  }
}
