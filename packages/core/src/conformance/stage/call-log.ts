import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import { show } from './show.ts'

interface Call {
  readonly method: string
  readonly given: readonly unknown[]
  readonly since: number
}

/** The most calls of each kind that a message lists. */
const shownCalls = 5

/** Milliseconds between two looks at the calls in flight. */
const interval = 250

/** The calls of the handles of one rule. It finds a call that never settles, and names it. */
export class CallLog {
  readonly #inFlight: Set<Call> = new Set()
  readonly #settled: Call[] = []

  /** The same backend, with calls that are noted. Members that return no promise stay as they are. */
  watched(backend: CacheBackend): CacheBackend {
    const wrappers = new Map<string | symbol, unknown>()
    return new Proxy(backend, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        const wrapper = wrappers.get(name) ?? this.#noting(String(name), member.bind(target))
        wrappers.set(name, wrapper)
        return wrapper
      },
    })
  }

  /** Settles like `work`. Rejects when a call has been in flight for `limit` milliseconds. */
  async bounded(limit: number, work: () => Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const stuck = new Promise<never>((_, reject) => {
      timer = setInterval(() => {
        const message = this.#stuck(limit)
        if (message !== undefined) reject(new assert.AssertionError({ message }))
      }, interval)
    })
    try {
      await Promise.race([work(), stuck])
    } finally {
      clearInterval(timer)
    }
  }

  #noting(method: string, member: (...given: unknown[]) => unknown): (...given: unknown[]) => unknown {
    return (...given) => {
      const call = { method, given, since: performance.now() }
      const result = member(...given)
      if (result instanceof Promise) this.#note(call, result)
      // Calls within a transaction of the application can wait for each other, too.
      return method === 'inTransaction' ? this.watched(result as CacheBackend) : result
    }
  }

  #note(call: Call, result: Promise<unknown>): void {
    this.#inFlight.add(call)
    const end = (): void => {
      this.#inFlight.delete(call)
      this.#settled.push(call)
      if (this.#settled.length > shownCalls) this.#settled.shift()
    }
    result.then(end, end)
  }

  #stuck(limit: number): string | undefined {
    const now = performance.now()
    const [oldest] = this.#inFlight
    if (oldest === undefined || now - oldest.since < limit) return undefined
    const others = [...this.#inFlight].slice(1)
    const lines = [`${described(oldest)} has not settled after ${Math.floor((now - oldest.since) / 1000)} s`]
    if (others.length > 0) {
      lines.push(`${others.length} other calls are in flight: ${others.slice(0, shownCalls).map(described).join(', ')}`)
    }
    if (this.#settled.length > 0) lines.push(`the last calls that settled: ${this.#settled.map(described).join(', ')}`)
    return lines.join('\n')
  }
}

function described({ method, given }: Call): string {
  const [first] = given
  if (Array.isArray(first)) return `${method}(a batch of ${first.length})`
  if (typeof first === 'string') return `${method}(${show(first)})`
  const key = (first as { readonly key?: unknown } | null | undefined)?.key
  return typeof key === 'string' ? `${method}(the item ${show(key)})` : `${method}()`
}
