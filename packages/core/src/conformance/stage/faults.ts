import assert from 'node:assert/strict'
import { show } from './show.ts'
import { SkipRule } from './skip-rule.ts'

/** The most faults that a message lists, and the most cases for one fault. */
const shownFaults = 20
const shownNames = 6

/** Collects the failures of many cases, so that one failure reports all of them. */
export class Faults {
  /** The names of the cases by their failure: many calls often share one. */
  readonly #found = new Map<string, string[]>()

  /** Runs one case. A failure is noted with the name of the case. */
  async attempt(name: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (error instanceof SkipRule) throw error
      this.note(name, error instanceof assert.AssertionError ? error.message : show(error))
    }
  }

  note(name: string, fault: string): void {
    const names = this.#found.get(fault)
    if (names === undefined) this.#found.set(fault, [name])
    else if (!names.includes(name)) names.push(name)
  }

  /** Fails with the list if there is a fault. */
  report(): void {
    const count = this.#found.size
    if (count === 0) return
    const list = [...this.#found].slice(0, shownFaults).map(([fault, names]) => {
      const more = names.length > shownNames ? ` and ${names.length - shownNames} more` : ''
      return `${names.slice(0, shownNames).join('; ')}${more}: ${fault}`
    })
    if (count > shownFaults) list.push(`${count} different faults in all`)
    throw new assert.AssertionError({ message: list.join('\n') })
  }
}
