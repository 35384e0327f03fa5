/** A source of the current instant. Handed in, so that tests move time instead of waiting for it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
}

/** The machine's wall clock. */
export const systemClock: Clock = { now: () => Date.now() }
