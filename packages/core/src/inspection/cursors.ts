import { invalidArgument } from '../protocol/argument.ts'
import type { Clock } from '../protocol/clock.ts'
import { createVersion } from '../protocol/version.ts'
import type { KeyScan } from './key-scan.ts'

/** Iterations that may be open at once; one more ends the oldest. */
const mostOpen = 16
/** Milliseconds without a call after which all of them end. */
const idleTime = 60_000

/** An iteration that waits for its next page. */
export interface OpenScan {
  readonly scan: KeyScan
}

/** The iterations behind the cursors of one inspection. */
export class Cursors<Open extends OpenScan> {
  readonly #clock: Required<Clock>
  readonly #open = new Map<string, Open>()
  #stopTimer = (): void => {}

  constructor(clock: Required<Clock>) {
    this.#clock = clock
  }

  /** The iteration of a cursor, which ends with this call. Throws `INVALID_ARGUMENT`. */
  take(cursor: string, operation: string): Open {
    const open = this.#open.get(cursor)
    if (open === undefined)
      throw invalidArgument('cursor', cursor, 'the cursor of the last page, used once and within a minute', operation)
    this.#open.delete(cursor)
    return open
  }

  /** The cursor of an iteration that goes on; `undefined` for one that is complete. */
  keep(open: Open): string | undefined {
    if (open.scan.isComplete) return undefined
    const cursor = createVersion()
    this.#open.set(cursor, open)
    for (const [oldest, { scan }] of this.#open) {
      if (this.#open.size <= mostOpen) break
      this.#open.delete(oldest)
      scan.close()
    }
    this.#stopTimer()
    this.#stopTimer = this.#clock.after(idleTime, () => this.close())
    return cursor
  }

  close(): void {
    this.#stopTimer()
    for (const { scan } of this.#open.values()) scan.close()
    this.#open.clear()
  }
}
