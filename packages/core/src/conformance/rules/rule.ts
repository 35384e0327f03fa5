import type { CacheBackend } from '../../protocol/backend.ts'
import type { Means } from '../harness/harness.ts'

/** The optional members of a backend that a rule may need. */
export type Member = Exclude<keyof CacheBackend, 'name' | 'get' | 'set' | 'delete' | 'clear'>

/** One promise of CONTRACT.md and its check. */
export interface Rule {
  /** The number of the promise in CONTRACT.md. */
  readonly id: string
  /** The promise, as a sentence whose subject comes first. It is the title of the test. */
  readonly says: string
  /** Members that the backend must have; the rule is skipped where one is absent. */
  readonly members: readonly Member[]
  /** Members that the harness must have; the rule is skipped where one is absent. */
  readonly means: readonly Means[]
  /** Whether the suite opens a handle before the check. `false`: the check opens its own. */
  readonly opens: boolean
  /** The check. Only `runRule` calls it: the type of its argument is internal. */
  check(stage: never): Promise<void>
}
