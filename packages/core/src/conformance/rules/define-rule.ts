import type { CacheBackend } from '../../protocol/backend.ts'
import type { Harness, Means } from '../harness/harness.ts'
import type { Stage } from '../stage/stage.ts'
import type { Member, Rule } from './rule.ts'

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
    check: parts.check as (stage: never) => Promise<void>,
  }
}
