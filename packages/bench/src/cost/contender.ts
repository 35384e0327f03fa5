import type { Candidate } from '../harness/suite.ts'
import { type Hit, measureHits, measureSyncHits, type SyncHit } from './workload.ts'

/** For each row that a library can do: opens and fills a cache, and resolves to the operation that is measured. */
export type Contests = Readonly<Record<string, () => Promise<Hit>>>
export type SyncContests = Readonly<Record<string, () => Promise<SyncHit>>>

/** A candidate whose operation is awaited. */
export function contender(
  name: string,
  packages: readonly string[],
  contests: Contests,
  sync: SyncContests = {},
): Candidate {
  return {
    name,
    packages,
    rows: [...Object.keys(contests), ...Object.keys(sync)],
    async measure(row, context) {
      const openSync = sync[row]
      if (openSync !== undefined) return measureSyncHits(await openSync(), context)
      const open = contests[row]
      if (open === undefined) throw new Error(`${name} does not take part in ${row}`)
      return measureHits(await open(), context)
    },
  }
}
