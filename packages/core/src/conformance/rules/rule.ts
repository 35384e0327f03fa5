import type { CacheBackend } from '../../protocol/backend.ts'
import type { Harness, Means } from '../harness/harness.ts'
import type { Stage } from '../stage/stage.ts'

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
  check(stage: Stage): Promise<void>
}

/** The stage of a rule, typed so that the named members and means are present. */
export type StageWith<M extends Member, H extends Means> = Omit<Stage, 'backend' | 'harness'> & {
  readonly backend: CacheBackend & Required<Pick<CacheBackend, M>>
  readonly harness: Harness & Required<Pick<Harness, H>>
}

/** Makes a rule; the types of `check` follow from `members` and `means`. */
export function rule<M extends Member = never, H extends Means = never>(parts: {
  readonly id: string
  readonly says: string
  readonly members?: readonly M[]
  readonly means?: readonly H[]
  readonly opens?: boolean
  check(stage: StageWith<M, H>): Promise<void>
}): Rule {
  return {
    id: parts.id,
    says: parts.says,
    members: parts.members ?? [],
    means: parts.means ?? [],
    opens: parts.opens ?? true,
    // Sound because `runRule` checks the named members and means before the call.
    check: parts.check as unknown as (stage: Stage) => Promise<void>,
  }
}
