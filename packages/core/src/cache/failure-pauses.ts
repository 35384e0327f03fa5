/** More keys than this fail at once only when everything fails. */
const mostPauses = 1000

/** Keys whose last load failed, and until when the stale value is served without trying again. */
export class FailurePauses {
  readonly #until = new Map<string, number>()

  pause(key: string, until: number): void {
    if (this.#until.size >= mostPauses) this.#forgetOldest()
    this.#until.set(key, until)
  }

  paused(key: string, now: number): boolean {
    if (this.#until.size === 0) return false
    const until = this.#until.get(key)
    if (until === undefined) return false
    if (now < until) return true
    this.#until.delete(key)
    return false
  }

  resume(key: string): void {
    if (this.#until.size > 0) this.#until.delete(key)
  }

  /** Drops the oldest half: a key that is forgotten is tried again a little earlier. */
  #forgetOldest(): void {
    let surplus = this.#until.size / 2
    for (const key of this.#until.keys()) {
      if (surplus <= 0) break
      this.#until.delete(key)
      surplus -= 1
    }
  }
}
