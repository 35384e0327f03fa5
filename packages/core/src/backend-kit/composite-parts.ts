import type { CacheBackend } from '../protocol/backend.ts'
import type { Bus } from '../protocol/bus.ts'
import type { CloseDeadline } from './close-deadline.ts'
import { addUser, removeUser } from './shared-ownership.ts'

/**
 * The backends and the bus that one composite backend is made of. The composite counts as a user of each part until it
 * closes, so no other composite or cache closes a part under it (RACES R36).
 */
export class CompositeParts {
  readonly #parts: readonly (CacheBackend | Bus)[]
  readonly #closeParts: boolean

  /** Without `closeParts` the parts stay open, also when this composite is their last user. */
  constructor(parts: readonly (CacheBackend | Bus)[], closeParts: boolean) {
    this.#parts = parts
    this.#closeParts = closeParts
    for (const part of parts) addUser(part)
  }

  /**
   * Ends the use of all parts and closes those without another user. Call it once. A part that fails to close does not keep
   * the others open: the promise settles after all of them, and rejects with the first failure in their order. A part that
   * has not closed at the deadline fails with `TIMEOUT`.
   */
  async close(deadline: CloseDeadline): Promise<void> {
    const unused = this.#parts.filter((part) => removeUser(part))
    if (!this.#closeParts) return
    const outcomes = await Promise.allSettled(
      unused.map((part) => deadline.wait(`the close of '${part.name}'`, closed(part))),
    )
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }
}

async function closed(part: CacheBackend | Bus): Promise<void> {
  await part.close?.()
}
