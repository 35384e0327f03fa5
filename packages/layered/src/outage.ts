import {
  type Clock,
  cacheErrorCode,
  type Lifecycle,
  type MaybePromise,
  promiseOf,
  startTimer,
} from '@cache/core/backend'

/** Milliseconds that a read with a copy waits for an authority whose last call failed. */
const grace = 50

/** An answer of the authority, or of the copies that this process has. */
export interface Answer<Value> {
  readonly value: Value
  readonly isCopy: boolean
}

/**
 * Whether the authority is unreachable, and whether copies may answer in its place (RACES R14).
 *
 * - Near copies from before the bus was lost may answer for `maxOutage` after the loss. Announcements may be missed
 *   during this time, so a copy never answers while the authority does.
 * - Tag records that the tag window has forgotten may answer for `maxOutage` after the first failure of the authority.
 */
export class Outage {
  readonly #maxOutage: number
  readonly #clock: Clock
  readonly #life: Pick<Lifecycle, 'begin' | 'end'>
  /** Whether announcements arrive, and have been processed since the near layers were last cleared. */
  #connected: boolean
  /** The instant of the first failure since the last answer of the authority. */
  #unreachableSince: number | undefined
  /** The instant when the bus was lost, if the near layers still have the copies of that instant. */
  #copiesSince: number | undefined
  /** Runs when the authority answers, because the bus returned before it. */
  #resume: (() => void) | undefined

  /** `life` counts the reads that go on after a copy has answered. */
  constructor(maxOutage: number, clock: Clock, life: Pick<Lifecycle, 'begin' | 'end'>, hasBus: boolean) {
    this.#maxOutage = maxOutage
    this.#clock = clock
    this.#life = life
    this.#connected = !hasBus
  }

  /** Whether copies from before the loss of the bus may still answer in an outage. */
  get hasCopies(): boolean {
    return this.#isRecent(this.#copiesSince)
  }

  /** Whether tag records are kept for an outage. */
  get keepsRecords(): boolean {
    return this.#maxOutage > 0
  }

  /** Announcements may be missed from now on. `trusted`: until now the near layers had no outdated copy. */
  busLost(trusted: boolean): void {
    this.#connected = false
    this.#resume = undefined
    if (trusted) this.#copiesSince = this.#clock.now()
  }

  /**
   * Announcements arrive again. `resume` clears the near layers: at once, or at the next answer of the authority if
   * copies answer for it now.
   */
  busReturned(resume: () => void): void {
    const run = (): void => {
      this.#connected = true
      resume()
    }
    if (this.#servesItems) this.#resume = run
    else run()
  }

  /** The copies are gone, or may be older than the loss of the bus. */
  dropCopies(): void {
    this.#copiesSince = undefined
  }

  /** Runs a call of the authority and learns from its outcome whether the authority is reachable. */
  observe<Value>(call: () => Promise<Value>): Promise<Value> {
    const calling = promiseOf(call)
    calling.then(
      () => this.#answered(),
      (error) => {
        if (isUnreachable(error)) this.#unreachableSince ??= this.#clock.now()
      },
    )
    return calling
  }

  /**
   * Reads from the authority, or from `copies` while the authority is unreachable. `copies` gives `undefined` if it
   * lacks a part of the answer. Then the outcome is that of the authority.
   */
  async read<Value>(
    what: 'items' | 'records',
    ask: () => Promise<Value>,
    copies: () => MaybePromise<Value | undefined>,
  ): Promise<Answer<Value>> {
    const asking = this.observe(ask)
    if (this.#serves(what)) {
      this.#keepOpen(asking)
      const copy = await copies()
      return copy === undefined ? { value: await asking, isCopy: false } : this.#firstOf(asking, copy)
    }
    try {
      return { value: await asking, isCopy: false }
    } catch (error) {
      if (!isUnreachable(error) || !this.#serves(what)) throw error
      const copy = await copies()
      if (copy === undefined) throw error
      return { value: copy, isCopy: true }
    }
  }

  /** The answer, or the copy if the authority fails or takes longer than the grace time. */
  #firstOf<Value>(asking: Promise<Value>, copy: Value): Promise<Answer<Value>> {
    return new Promise((resolve, reject) => {
      const serveCopy = (): void => resolve({ value: copy, isCopy: true })
      const cancel = startTimer(this.#clock, grace, serveCopy)
      asking.then(
        (value) => {
          cancel()
          resolve({ value, isCopy: false })
        },
        (error) => {
          cancel()
          if (isUnreachable(error)) serveCopy()
          else reject(error)
        },
      )
    })
  }

  /** `close` waits for this read, which nothing else may wait for. */
  #keepOpen(asking: Promise<unknown>): void {
    const end = (): void => this.#life.end()
    this.#life.begin()
    asking.then(end, end)
  }

  #answered(): void {
    this.#unreachableSince = undefined
    const resume = this.#resume
    this.#resume = undefined
    resume?.()
  }

  #serves(what: 'items' | 'records'): boolean {
    if (what === 'items' || !this.#connected) return this.#servesItems
    return this.#isRecent(this.#unreachableSince)
  }

  get #servesItems(): boolean {
    return this.#unreachableSince !== undefined && !this.#connected && this.hasCopies
  }

  /** Whether the instant is less than `maxOutage` ago. A clock that was set back makes it `false`. */
  #isRecent(instant: number | undefined): boolean {
    if (instant === undefined) return false
    const age = this.#clock.now() - instant
    return age >= 0 && age < this.#maxOutage
  }
}

/** Whether the authority gave no answer. A refusal is an answer. */
function isUnreachable(error: unknown): boolean {
  const code = cacheErrorCode(error)
  return (
    code === undefined ||
    code === 'UNAVAILABLE' ||
    code === 'TIMEOUT' ||
    code === 'CIRCUIT_OPEN' ||
    code === 'BACKEND_FAILURE'
  )
}
