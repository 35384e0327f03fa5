import type { NodeRecord } from '../storage/node-record.ts'

/** A result that this run has computed. It is kept for the run, so that nothing depends on its way through a cache. */
export interface Computed {
  readonly record: NodeRecord
  readonly isStored: boolean
  /** Of a node. */
  readonly value?: unknown
  /** Of a map: the hash of each result in order, and the results that were computed, by hash. */
  readonly elements?: { readonly hashes: readonly string[]; readonly known: ReadonlyMap<string, unknown> }
}
