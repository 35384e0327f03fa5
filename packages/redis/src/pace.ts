/** What is sent early when nothing is known yet of how many callers there are. */
const unknown = 32

/**
 * Decides when gathered requests leave before the tick is over.
 *
 * Gathering all of them makes the fewest commands, but then this process and the server wait for each other in turn. So
 * half of the requests that are under way are enough for a command: the server works on the one half while this process
 * prepares the other (a quarter more gets per second at 100 callers; docs/decisions/0021).
 */
export class Pace {
  /** Requests that were sent and not answered. */
  #underWay = 0
  #last = 0

  /** Whether so many waiting requests should leave at once. */
  isEnough(waiting: number): boolean {
    if (this.#underWay > 0) return waiting >= (this.#underWay + waiting) >> 1
    // Everything was answered: as many as last time come again.
    return waiting >= (this.#last > 1 ? this.#last >> 1 : unknown)
  }

  sent(requests: number): void {
    this.#underWay += requests
    this.#last = requests
  }

  answered(requests: number): void {
    this.#underWay -= requests
  }
}
