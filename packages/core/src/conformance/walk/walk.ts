import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import { cacheErrorCode } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'
import { createRandom, type Random } from '../samples/random.ts'
import { assertItem } from '../stage/assert-item.ts'
import { collect } from '../stage/collect.ts'
import { show } from '../stage/show.ts'
import type { Stage } from '../stage/stage.ts'
import { Model } from './model.ts'

type WalkStage = Pick<Stage, 'now' | 'item' | 'harness'>

interface WalkOptions {
  readonly seed: number
  readonly steps: number
  /** The only keys of the sequence. */
  readonly keys: readonly string[]
  /** The prefixes for `clear` and `keys`. No key of a concurrent sequence starts with one of them. */
  readonly prefixes: readonly string[]
  /** Whether the sequence may move the clock, which concurrent sequences share. */
  readonly moves: boolean
}

/**
 * A random sequence of calls of a backend, each compared with a simple model. Each step uses the next handle in turn.
 */
export class Walk {
  readonly #stage: WalkStage
  readonly #handles: readonly CacheBackend[]
  readonly #options: WalkOptions
  readonly #random: Random
  readonly #model: Model
  readonly #trail: string[] = []
  #step = 0

  constructor(stage: WalkStage, handles: readonly CacheBackend[], options: WalkOptions) {
    this.#stage = stage
    this.#handles = handles
    this.#options = options
    this.#random = createRandom(options.seed)
    this.#model = new Model(() => stage.now())
  }

  /** Fails at the first result that differs from the model, with the seed and the last steps. */
  async run(): Promise<void> {
    try {
      for (; this.#step < this.#options.steps; this.#step += 1) await this.#move()
      await this.#compare()
    } catch (error) {
      const trail = this.#trail.slice(-12).join('\n  ')
      const message = `${show(error)}\nseed ${this.#options.seed}, step ${this.#step}; repeat with CONFORMANCE_SEED=${this.#options.seed}\n  ${trail}`
      throw new assert.AssertionError({ message })
    }
  }

  get #backend(): CacheBackend {
    return this.#handles[this.#step % this.#handles.length] as CacheBackend
  }

  async #move(): Promise<void> {
    const moves = [
      this.#get,
      this.#get,
      this.#set,
      this.#set,
      this.#delete,
      this.#compareAndSet,
      this.#compareAndSet,
      this.#increment,
      this.#getMany,
      this.#setMany,
      this.#deleteMany,
      this.#keys,
      this.#advance,
    ]
    // Rare, because a clear leaves little to test for the next steps.
    if (this.#random.below(25) === 0) await this.#clear()
    else await this.#random.pick(moves).call(this)
  }

  #note(step: string): void {
    this.#trail.push(step)
  }

  #key(): string {
    return this.#random.pick(this.#options.keys)
  }

  #keysForBatch(): string[] {
    return Array.from({ length: this.#random.below(6) }, () => this.#key())
  }

  #item(key: string): Item {
    const values = [1, 5, 0, null, '', 'text', false, { n: 1 }, [1, 2], undefined, 1.5]
    const now = this.#stage.now()
    const expiresAt = this.#random.pick([undefined, undefined, now - 1, now + 3_600_000, ...this.#nearDeadlines(now)])
    const rest = this.#random.pick<Partial<Item>>([{}, { tags: { t: 'v' } }, { cost: 4, staleAt: now }])
    return this.#stage.item(key, this.#random.pick(values), {
      ...rest,
      ...(expiresAt === undefined ? {} : { expiresAt }),
    })
  }

  #nearDeadlines(now: number): number[] {
    return this.#options.moves && this.#stage.harness.clock ? [now + 1, now + 50, now + 200] : []
  }

  async #get(): Promise<void> {
    const key = this.#key()
    this.#note(`get ${show(key)}`)
    this.#same(await this.#backend.get(key), this.#model.get(key))
  }

  async #set(): Promise<void> {
    const item = this.#item(this.#key())
    this.#note(`set ${JSON.stringify(item)}`)
    await this.#backend.set(item)
    this.#model.set(item)
    await this.#look(item.key)
  }

  /** Usually reads the written item through the next handle. Not always, because a read may repair a broken state. */
  async #look(key: string): Promise<void> {
    if (this.#random.below(4) === 0) return
    const next = this.#handles[(this.#step + 1) % this.#handles.length] as CacheBackend
    this.#same(await next.get(key), this.#model.get(key))
  }

  async #delete(): Promise<void> {
    const key = this.#key()
    this.#note(`delete ${show(key)}`)
    assert.equal(await this.#backend.delete(key), this.#model.delete(key), 'delete')
  }

  async #clear(): Promise<void> {
    const prefix = this.#random.pick(this.#options.prefixes)
    this.#note(`clear ${show(prefix)}`)
    await this.#backend.clear(prefix)
    this.#model.clear(prefix)
  }

  async #compareAndSet(): Promise<void> {
    if (!this.#backend.compareAndSet) return
    const key = this.#key()
    const expected = this.#random.pick([
      this.#model.get(key)?.version,
      this.#model.get(key)?.version,
      undefined,
      'other',
    ])
    const next = this.#random.below(5) === 0 ? undefined : this.#item(key)
    this.#note(`compareAndSet ${show(key)} ${expected} ${JSON.stringify(next)}`)
    assert.equal(
      await this.#backend.compareAndSet(key, expected, next),
      this.#model.compareAndSet(key, expected, next),
      'compareAndSet',
    )
    await this.#look(key)
  }

  async #increment(): Promise<void> {
    const { increment } = this.#backend
    if (!increment) return
    const key = this.#key()
    const delta = this.#random.pick([1, 1, 10, -3, 0])
    const expiresAt = this.#random.pick([undefined, this.#stage.now() + 3_600_000])
    this.#note(`increment ${show(key)} ${delta} ${expiresAt}`)
    const handle = this.#backend
    const sum = await handle
      .increment?.(key, delta, expiresAt)
      .catch((error: unknown) => cacheErrorCode(error) ?? error)
    const expected = this.#model.increment(key, delta, expiresAt)
    assert.equal(sum, expected, 'increment')
    if (expected === 'NOT_A_NUMBER') return
    const found = await handle.get(key)
    const modelled = this.#model.get(key)
    assert(found && modelled, `the counter ${show(key)} is gone`)
    assert.equal(found.expiresAt === undefined, modelled.expiresAt === undefined, 'whether the counter has a deadline')
    // A store may compute the deadline of a counter by its own clock.
    assert(Math.abs((found.expiresAt ?? 0) - (modelled.expiresAt ?? 0)) < 1000, 'the deadline of the counter')
    this.#model.adopt(key, found.version, found.createdAt, found.expiresAt)
    this.#same(found, this.#model.get(key))
  }

  async #getMany(): Promise<void> {
    if (!this.#backend.getMany) return
    const keys = this.#keysForBatch()
    this.#note(`getMany ${show(keys)}`)
    const found = await this.#backend.getMany(keys)
    assert.equal(found.length, keys.length)
    for (const [n, key] of keys.entries()) this.#same(found[n], this.#model.get(key))
  }

  async #setMany(): Promise<void> {
    if (!this.#backend.setMany) return
    const items = this.#keysForBatch().map((key) => this.#item(key))
    this.#note(`setMany ${JSON.stringify(items)}`)
    await this.#backend.setMany(items)
    for (const item of items) this.#model.set(item)
  }

  async #deleteMany(): Promise<void> {
    if (!this.#backend.deleteMany) return
    const keys = this.#keysForBatch()
    this.#note(`deleteMany ${show(keys)}`)
    assert.equal(await this.#backend.deleteMany(keys), this.#model.deleteMany(keys), 'deleteMany')
  }

  async #keys(): Promise<void> {
    if (!this.#backend.keys) return
    const prefix = this.#random.pick(this.#options.prefixes)
    this.#note(`keys ${show(prefix)}`)
    const found = [...new Set(await collect(this.#backend.keys(prefix)))]
    assert.deepEqual(found.sort(), this.#model.keys(prefix).sort(), 'keys')
  }

  async #advance(): Promise<void> {
    if (!this.#options.moves || !this.#stage.harness.clock) return
    const ms = this.#random.pick([1, 49, 50, 200])
    this.#note(`advance ${ms}`)
    this.#stage.harness.clock.advance(ms)
  }

  /** Every key, through every handle. */
  async #compare(): Promise<void> {
    this.#note('compare all')
    for (const handle of this.#handles) {
      for (const key of this.#options.keys) this.#same(await handle.get(key), this.#model.get(key))
    }
  }

  #same(found: Item | undefined, expected: Item | undefined): void {
    if (!expected) {
      assert.equal(found, undefined)
      return
    }
    const returned = found?.expiresAt
    // A store may compute the deadline of a counter from its remaining lifetime, by its own clock at each read.
    const isNear =
      expected.createdAt === 0 && returned !== undefined && Math.abs(returned - (expected.expiresAt ?? 0)) < 1000
    assertItem(found, isNear ? { ...expected, expiresAt: returned } : expected)
  }
}
