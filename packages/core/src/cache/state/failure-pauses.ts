/** More keys than this fail at once only when everything fails. */
const mostPauses = 1000

interface Pause {
  readonly from: number
  readonly until: number
}

/** Keys whose last load failed, and for how long the stale value is served without trying again. */
export class FailurePauses {
  readonly #pauses = new Map<string, Pause>()

  pause(key: string, from: number, ms: number): void {
    if (this.#pauses.size >= mostPauses) this.#forgetOldest()
    this.#pauses.set(key, { from, until: from + ms })
  }

  paused(key: string, now: number): boolean {
    if (this.#pauses.size === 0) return false
    const pause = this.#pauses.get(key)
    if (pause === undefined) return false
    // Before it began: the clock was set back, and would prolong it by as much.
    if (now >= pause.from && now < pause.until) return true
    this.#pauses.delete(key)
    return false
  }

  resume(key: string): void {
    if (this.#pauses.size > 0) this.#pauses.delete(key)
  }

  /** Drops the oldest half: a key that is forgotten is tried again a little earlier. */
  #forgetOldest(): void {
    let surplus = this.#pauses.size / 2
    for (const key of this.#pauses.keys()) {
      if (surplus <= 0) break
      this.#pauses.delete(key)
      surplus -= 1
    }
  }
}
