/** One call on one object, as the search sees it. */
export interface Step<State> {
  readonly start: number
  /** The step takes effect before this instant; `Infinity`: at any later one. */
  readonly end: number
  /** Whether the step may have had no effect at all, because its caller got no answer. */
  readonly optional: boolean
  /** Indexes of steps that come before this one in every order, besides those that ended before its start. */
  readonly after: readonly number[]
  /** The states that the step may leave behind. Empty: it cannot take effect in `state`. */
  next(state: State): readonly State[]
  /** Whether the step may take effect at once in every state that it leaves as it is. */
  readonly observes: boolean
  /** The only state in which the step can take effect, if that state is reached once at most. */
  readonly needs: State | undefined
}

/** `stuck` is the index of the step that has no place in the longest order found. */
export type Order = { readonly found: true } | { readonly found: false; readonly stuck: number } | 'undecided'

/**
 * Searches an order of all steps in which each one is possible, and which keeps the order of steps that did not
 * overlap: a linearization. Optional steps may be left out.
 *
 * The algorithm is that of Wing and Gong ("Testing and Verifying Concurrent Objects", 1993) with the memoization of Lowe
 * ("Testing for Linearizability", 2017), as in porcupine: a depth-first search that never visits the same set of
 * placed steps in the same state twice. Two rules for registers with unique values shorten it. A step that changes
 * nothing takes its place as soon as it can. A value is not replaced while a step that needs it has no place.
 *
 * `undecided` after `most` visited nodes.
 */
export function findOrder<State>(steps: readonly Step<State>[], initial: State, most = 200_000): Order {
  return new Search(steps, most).run(initial)
}

class OutOfNodes extends Error {}

class Search<State> {
  readonly #steps: readonly Step<State>[]
  /** Indexes into `#steps`, ordered by start. */
  readonly #byStart: readonly number[]
  readonly #placed: Uint8Array
  readonly #visited = new Set<string>()
  /** Number of required steps without a place that need a state. */
  readonly #needed = new Map<State, number>()
  readonly #required: number
  #placedRequired = 0
  #mostPlaced = -1
  #stuck = 0
  #nodesLeft: number

  constructor(steps: readonly Step<State>[], most: number) {
    this.#steps = steps
    this.#byStart = steps.map((_, index) => index).sort((a, b) => this.#step(a).start - this.#step(b).start)
    this.#placed = new Uint8Array(steps.length)
    this.#nodesLeft = most
    this.#required = steps.filter(({ optional }) => !optional).length
    for (const step of steps) this.#countNeed(step, 1)
  }

  run(initial: State): Order {
    try {
      return this.#visit(initial, 0) ? { found: true } : { found: false, stuck: this.#stuck }
    } catch (error) {
      if (error instanceof OutOfNodes) return 'undecided'
      throw error
    }
  }

  #step(index: number): Step<State> {
    return this.#steps[index] as Step<State>
  }

  /** `from`: every step before this position of `#byStart` has its place. */
  #visit(state: State, from: number): boolean {
    const settled: number[] = []
    const first = this.#settle(state, from, settled)
    if (this.#placedRequired === this.#required) return true
    if (this.#isNew(state, first)) {
      this.#nodesLeft -= 1
      if (this.#nodesLeft < 0) throw new OutOfNodes()
      const candidates = this.#candidates(first)
      this.#rememberDeepest(candidates)
      for (const index of candidates) if (this.#tryStep(index, state, first)) return true
    }
    for (const index of settled) this.#remove(index)
    return false
  }

  #tryStep(index: number, state: State, first: number): boolean {
    const step = this.#step(index)
    for (const next of step.next(state)) {
      if (next !== state && this.#isStillNeeded(state, step)) continue
      this.#place(index)
      if (this.#visit(next, first)) return true
      this.#remove(index)
    }
    return false
  }

  /** Places every step that changes nothing and can take its place now. Returns the first position without a place. */
  #settle(state: State, from: number, settled: number[]): number {
    let first = from
    for (let changed = true; changed; ) {
      changed = false
      while (first < this.#byStart.length && this.#placed[this.#byStart[first] as number] === 1) first += 1
      for (const index of this.#candidates(first)) {
        const step = this.#step(index)
        if (!step.observes || step.next(state)[0] !== state) continue
        this.#place(index)
        settled.push(index)
        changed = true
      }
    }
    return first
  }

  /** The steps that no other one without a place has to precede: the ones that end first come first. */
  #candidates(first: number): number[] {
    const found: number[] = []
    let earliestEnd = Infinity
    for (let position = first; position < this.#byStart.length; position += 1) {
      const index = this.#byStart[position] as number
      if (this.#placed[index] === 1) continue
      const step = this.#step(index)
      if (step.start > earliestEnd) break
      if (!step.optional) earliestEnd = Math.min(earliestEnd, step.end)
      found.push(index)
    }
    return found
      .filter(
        (index) =>
          this.#step(index).start <= earliestEnd && this.#step(index).after.every((one) => this.#placed[one] === 1),
      )
      .sort((a, b) => this.#endOf(a) - this.#endOf(b))
  }

  /** Optional steps come last: most of them had no effect. */
  #endOf(index: number): number {
    const step = this.#step(index)
    return step.optional ? Number.MAX_VALUE : step.end
  }

  #rememberDeepest(candidates: readonly number[]): void {
    if (this.#placedRequired <= this.#mostPlaced) return
    this.#mostPlaced = this.#placedRequired
    this.#stuck = candidates.find((index) => !this.#step(index).optional) ?? 0
  }

  #isNew(state: State, first: number): boolean {
    let last = this.#byStart.length
    while (last > first && this.#placed[this.#byStart[last - 1] as number] === 0) last -= 1
    let key = `${first} ${state} `
    for (let position = first; position < last; position += 1) key += this.#placed[this.#byStart[position] as number]
    if (this.#visited.has(key)) return false
    this.#visited.add(key)
    return true
  }

  #isStillNeeded(state: State, step: Step<State>): boolean {
    const others = (this.#needed.get(state) ?? 0) - (!step.optional && step.needs === state ? 1 : 0)
    return others > 0
  }

  #place(index: number): void {
    this.#placed[index] = 1
    const step = this.#step(index)
    if (!step.optional) this.#placedRequired += 1
    this.#countNeed(step, -1)
  }

  #remove(index: number): void {
    this.#placed[index] = 0
    const step = this.#step(index)
    if (!step.optional) this.#placedRequired -= 1
    this.#countNeed(step, 1)
  }

  #countNeed({ needs, optional }: Step<State>, change: number): void {
    if (needs !== undefined && !optional) this.#needed.set(needs, (this.#needed.get(needs) ?? 0) + change)
  }
}
