/** The rest of a wait that consists of pauses. A clock that is set back does not prolong it: each pause counts with its own length at least. */
export class TimeLeft {
  #left: number
  #seen: number

  constructor(ms: number, now: number) {
    this.#left = ms
    this.#seen = now
  }

  /** Milliseconds left at `now`, after a pause of `paused` ms or none since the last look. */
  at(now: number, paused = 0): number {
    this.#left -= Math.max(now - this.#seen, paused)
    this.#seen = now
    return this.#left
  }
}
