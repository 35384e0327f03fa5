import type { QueuedCall } from './queued-call.ts'

/** The calls that wait, in their order. */
export class PendingCalls {
  #calls: QueuedCall[] = []
  #writes = 0

  get count(): number {
    return this.#calls.length
  }

  get writeCount(): number {
    return this.#writes
  }

  get haveOnlyWrites(): boolean {
    return this.#writes === this.#calls.length
  }

  add(call: QueuedCall): void {
    this.#calls.push(call)
    if (call.writes) this.#writes += 1
  }

  takeAll(): QueuedCall[] {
    const taken = this.#calls
    this.#calls = []
    this.#writes = 0
    return taken
  }

  /** Puts calls that did not run back at the front. */
  putBack(calls: readonly QueuedCall[]): void {
    if (calls.length > 0) this.#replace([...calls, ...this.#calls])
  }

  /** Removes the calls that match, and returns them. */
  take(matches: (call: QueuedCall) => boolean): QueuedCall[] {
    const taken = this.#calls.filter(matches)
    if (taken.length > 0) this.#replace(this.#calls.filter((call) => !matches(call)))
    return taken
  }

  /** Removes the reads whose keys no earlier waiting write names, and returns them. */
  takeIndependentReads(): QueuedCall[] {
    const written = new Set<string>()
    const independent = new Set<QueuedCall>()
    for (const call of this.#calls) {
      const keys = typeof call.keys === 'string' ? [call.keys] : (call.keys ?? [])
      if (call.writes) for (const key of keys) written.add(key)
      else if (!keys.some((key) => written.has(key))) independent.add(call)
    }
    return this.take((call) => independent.has(call))
  }

  #replace(calls: QueuedCall[]): void {
    this.#calls = calls
    this.#writes = 0
    for (const call of calls) if (call.writes) this.#writes += 1
  }
}
