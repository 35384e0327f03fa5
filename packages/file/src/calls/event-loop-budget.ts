/** How long the event loop may be held without a break, in milliseconds. */
export const turnBudget = 3

/** Since when this thread has been at work without the event loop in between. */
export class Stretch {
  #since: number | undefined

  /** Notes the beginning of work; returns whether it is the first since the event loop was free. */
  begin(): boolean {
    if (this.#since !== undefined) return false
    this.#since = performance.now()
    setImmediate(this.#end)
    return true
  }

  get isLong(): boolean {
    return this.#since !== undefined && performance.now() - this.#since > turnBudget
  }

  readonly #end = (): void => {
    this.#since = undefined
  }
}
