import { type Cache, cacheErrorCode, type LoadContext } from '@cache/core'
import { areaOf, limits, lockTtl, tagsOf } from '../record/areas.ts'
import type { Request } from '../record/call.ts'
import type { OpenCall, Recorder } from '../record/recorder.ts'
import type { PlannedCall } from './plan.ts'
import { idOf, storedValue } from './value.ts'

const shortestRest = 10
const longestRest = 200

export interface ClientOptions {
  readonly cache: Cache
  readonly recorder: Recorder
  /** The number of the current round, which names the keys. */
  readonly round: () => number
  /** Whether the client stops before its next call. */
  readonly isOver: () => boolean
  readonly pause: (ms: number) => Promise<void>
}

/** One caller that makes one call after the other. */
export class Client {
  readonly #options: ClientOptions
  readonly #namespaces: Map<string, Cache>

  /** Clients of one process share `namespaces`. */
  constructor(options: ClientOptions, namespaces: Map<string, Cache>) {
    this.#options = options
    this.#namespaces = namespaces
  }

  /** Makes the calls of a plan until the end of the run. */
  async run(plan: { next(): PlannedCall }): Promise<void> {
    const { pause, isOver } = this.#options
    let rest = 0
    while (!isOver()) {
      const planned = plan.next()
      await pause(planned.pause + rest)
      if (isOver()) return
      // Calls fail at once while a server is down. Each leaves an open question, so they must be few.
      rest = (await this.perform(planned)) ? 0 : Math.min(longestRest, Math.max(shortestRest, 2 * rest))
    }
  }

  /** Makes one call. Resolves to whether it had an answer. */
  async perform(planned: PlannedCall): Promise<boolean> {
    const { request, family } = planned
    // Locks and limits last for the whole run.
    const area = areaOf(family, family === 'lock' || family === 'limit' ? 0 : this.#options.round())
    const cache = this.#namespace(area)
    if (request.do !== 'compareAndSet')
      return await this.#record(area, request, (call) => this.#call(area, planned, call))
    let version: string | undefined
    let expected: string | null = null
    const isRead = await this.#record(area, { do: 'get', key: request.key }, async () => {
      const item = await cache.item(request.key)
      version = item?.version
      expected = idOf(item?.value)
      return expected
    })
    if (!isRead) return false
    return await this.#record(area, { ...request, expected }, () =>
      cache.compareAndSet(request.key, version, storedValue(request.value), tagOptions(area, request.key)),
    )
  }

  async #record(area: string, request: Request, run: (call: OpenCall) => Promise<unknown>): Promise<boolean> {
    const call = this.#options.recorder.begin(area, request)
    try {
      call.done((await run(call)) ?? null)
      return true
    } catch (error) {
      call.failed(cacheErrorCode(error) ?? String(error instanceof Error ? error.stack : error))
      return false
    }
  }

  async #call(area: string, planned: PlannedCall, call: OpenCall): Promise<unknown> {
    const { request } = planned
    const cache = this.#namespace(area)
    switch (request.do) {
      case 'get':
        return idOf(await cache.get(request.key))
      case 'getNumber':
        return await cache.get(request.key)
      case 'getMany':
        return (await cache.getMany(request.keys)).map(idOf)
      case 'setMany':
        return await this.#setMany(area, request.keys, request.values)
      case 'set':
      case 'add':
      case 'replace':
        return await cache[request.do](request.key, storedValue(request.value), {
          ...tagOptions(area, request.key),
          ...(request.ttl === undefined ? {} : { ttl: request.ttl }),
        })
      case 'setNumber':
        return await cache.set(request.key, request.number)
      case 'update':
        return await this.#update(area, request.key, request.value, call)
      case 'take':
        return idOf(await cache.take(request.key))
      case 'deleteMany':
        return await cache.deleteMany(request.keys)
      case 'clear':
        return await cache.clear()
      case 'deleteByPrefix':
        return await cache.deleteByPrefix(request.prefix)
      case 'deleteByTag':
        return await cache.deleteByTag(request.tag)
      case 'increment':
        return await cache.increment(request.key, request.delta)
      case 'getOrSet':
        return await this.#load(area, request.key, request.value, planned, call)
      case 'withLock':
        return await this.#lock(cache, request.key, planned.work, call)
      case 'rateLimit':
        return (await cache.rateLimit(request.key, limits[request.key as keyof typeof limits])).allowed
      default:
        return await cache[request.do as 'has' | 'delete'](request.key as string)
    }
  }

  /** The keys of one `setMany` share its tags, so keys with different tags are set one after the other. */
  async #setMany(area: string, keys: readonly string[], values: readonly string[]): Promise<void> {
    const groups = new Map<string, [string, unknown][]>()
    for (const [index, key] of keys.entries()) {
      const tags = tagsOf(area, key).join()
      const group = groups.get(tags) ?? []
      groups.set(tags, [...group, [key, storedValue(values[index] as string)]])
    }
    for (const [, entries] of groups) {
      await this.#namespace(area).setMany(entries, tagOptions(area, entries[0]?.[0] as string))
    }
  }

  async #update(area: string, key: string, value: string, call: OpenCall): Promise<unknown> {
    const change = (current: unknown): unknown => {
      call.note('seen', idOf(current))
      return storedValue(value)
    }
    return idOf(await this.#namespace(area).update(key, change, tagOptions(area, key)))
  }

  async #load(area: string, key: string, value: string, planned: PlannedCall, call: OpenCall): Promise<unknown> {
    const { pause } = this.#options
    const cache = this.#namespace(area)
    const load = async (): Promise<unknown> => {
      call.note('loading', null)
      await pause(planned.work)
      return storedValue(value)
    }
    // A loader with a parameter may name its tags itself.
    const late = async (context: LoadContext): Promise<unknown> => {
      const loaded = await load()
      context.tags = tagsOf(area, key)
      return loaded
    }
    const options = { lock: planned.lease, readFailure: 'miss' as const }
    if (key === 'late') return idOf(await cache.getOrSet(key, late, options))
    return idOf(await cache.getOrSet(key, load, { ...options, ...tagOptions(area, key) }))
  }

  async #lock(cache: Cache, key: string, work: number, call: OpenCall): Promise<null> {
    const { pause } = this.#options
    await cache.withLock(
      key,
      async ({ token }) => {
        call.note('holding', token)
        await pause(work)
        call.note('leaving', token)
      },
      { ttl: lockTtl, wait: 300 },
    )
    return null
  }

  #namespace(area: string): Cache {
    let namespace = this.#namespaces.get(area)
    if (namespace === undefined) {
      namespace = this.#options.cache.namespace(area)
      this.#namespaces.set(area, namespace)
    }
    return namespace
  }
}

function tagOptions(area: string, key: string): { readonly tags?: readonly string[] } {
  const tags = tagsOf(area, key)
  return tags.length === 0 ? {} : { tags }
}
