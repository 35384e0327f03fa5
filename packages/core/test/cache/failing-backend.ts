import { EventHub } from '../../src/backend-kit/index.ts'
import { BreakpointBackend } from '../../src/conformance/index.ts'
import { type BackendEvent, CacheError, type CacheErrorCode, type Item } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'

/** A remote store that fails with a code while `code` is set, and emits what the test emits through `hub`. */
export class FailingBackend extends BreakpointBackend {
  code: CacheErrorCode | undefined = 'UNAVAILABLE'
  readonly hub: EventHub = new EventHub()

  constructor() {
    super(new MapBackend(), 'failing')
  }

  override async get(key: string): Promise<Item | undefined> {
    this.#check('get')
    return await super.get(key)
  }

  override async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    this.#check('getMany')
    return await super.getMany(keys)
  }

  override async set(item: Item): Promise<void> {
    this.#check('set')
    await super.set(item)
  }

  override async compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    this.#check('compareAndSet')
    return await super.compareAndSet(key, expected, next)
  }

  override async delete(key: string): Promise<boolean> {
    this.#check('delete')
    return await super.delete(key)
  }

  override async increment(key: string, delta: number, ttl?: number): Promise<number> {
    this.#check('increment')
    return await super.increment(key, delta, ttl)
  }

  override listen(listener: (event: BackendEvent) => void, types?: readonly BackendEvent['type'][]): () => void {
    return this.hub.listen(listener, types)
  }

  #check(operation: string): void {
    if (this.code !== undefined)
      throw new CacheError(this.code, `${operation}: connect ECONNREFUSED`, { operation, backend: this.name })
  }
}
