import type { Clock } from '../../protocol/clock.ts'

/** The waits that began in the same millisecond: one timer serves all of them. */
interface Group {
  readonly began: number
  readonly onLate: (() => void)[]
  waiting: number
  cancel: () => void
}

/**
 * One time limit for many short waits. A timer for each would cost more than the reply of a nearby store, and hardly any of them
 * ever fires.
 */
export class SharedTimeout {
  readonly #clock: Required<Clock>
  readonly #ms: number
  #latest: Group | undefined

  constructor(clock: Required<Clock>, ms: number) {
    this.#clock = clock
    this.#ms = ms
  }

  /** `onLate` is called when the time is over, even if the wait has ended by then. Every wait must call `end` with the returned group. */
  begin(onLate: () => void): Group {
    const now = this.#clock.now()
    let group = this.#latest
    if (group === undefined || group.began !== now || group.waiting === 0) {
      group = { began: now, onLate: [], waiting: 0, cancel: () => {} }
      const { onLate } = group
      const end = (): void => {
        for (const late of onLate) late()
      }
      group.cancel = this.#clock.after(this.#ms, end, true)
      this.#latest = group
    }
    group.onLate.push(onLate)
    group.waiting += 1
    return group
  }

  end(group: Group): void {
    group.waiting -= 1
    if (group.waiting > 0) return
    group.cancel()
    if (this.#latest === group) this.#latest = undefined
  }
}
