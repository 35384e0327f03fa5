/** Milliseconds for which this package may keep the event loop busy without a pause. */
const budgetMs = 3

/** Measures how long this thread has worked since the event loop last ran other callbacks. */
export class EventLoopBudget {
  readonly #now: () => number
  #startedAt: number | undefined

  /** `now` is a monotonic clock in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Notes the start of work. Returns whether it is the first work since the event loop ran other callbacks. */
  start(): boolean {
    if (this.#startedAt !== undefined) return false
    this.#startedAt = this.#now()
    setImmediate(this.#end)
    return true
  }

  /** Whether this thread has worked for longer than the budget without a pause. */
  get isSpent(): boolean {
    return this.#startedAt !== undefined && this.#now() - this.#startedAt > budgetMs
  }

  /** The instant at which work that starts now has used the whole budget. */
  deadline(): number {
    return this.#now() + budgetMs
  }

  isPast(deadline: number): boolean {
    return this.#now() > deadline
  }

  readonly #end = (): void => {
    this.#startedAt = undefined
  }
}
