import { overName, type StepDefinition } from '../graph/definition.ts'
import { hashValue } from '../hashing/hash-value.ts'
import { keyOf } from '../hashing/node-key.ts'
import type { MissReason } from '../report/node-report.ts'
import { isNodeRecord, type NodeParts, type NodeRecord, storageFormat } from '../storage/node-record.ts'
import { type Blob, listHash } from '../storage/pipeline-store.ts'
import { type ComputedMap, computeMap } from './compute-map.ts'
import { computeNode } from './compute-node.ts'
import type { Computed } from './computed.ts'
import { ResultChanged } from './interruptions.ts'
import type { Elements, Outcome } from './outcome.ts'
import { reasonFor } from './reason.ts'
import type { RunState } from './run-state.ts'

/** The key of the record of a node, and the hashes that it is made of. */
export function partsOf(
  { pipeline, envHash }: { readonly pipeline: string; readonly envHash: string },
  { kind, node }: StepDefinition,
  code: string,
  dependencies: readonly { readonly as: string; readonly isInput: boolean; readonly hash: string }[],
): { readonly key: string; readonly parts: NodeParts } {
  const texts = dependencies.flatMap(({ as, isInput, hash }) => [isInput ? 'input' : 'dep', as, hash])
  return {
    key: keyOf([kind, String(storageFormat), pipeline, node.name, code, envHash, ...texts]),
    parts: {
      code,
      env: envHash,
      inputs: Object.fromEntries(dependencies.filter((one) => one.isInput).map(({ as, hash }) => [as, hash])),
      deps: Object.fromEntries(dependencies.filter((one) => !one.isInput).map(({ as, hash }) => [as, hash])),
    },
  }
}

/** A dependency of a step in a run. */
export interface StepDependency {
  readonly as: string
  readonly name: string
  readonly isInput: boolean
  readonly outcome: Outcome
}

/** One node of a run: its record is looked up or computed by `find`, and its result is read only when another node or the caller needs it. */
export class Step implements Outcome {
  readonly elements: Elements | undefined
  readonly #state: RunState
  readonly #definition: StepDefinition
  readonly #dependencies: readonly StepDependency[]
  readonly #key: string
  readonly #parts: NodeParts
  #record: NodeRecord | undefined
  #value: Promise<unknown> | undefined

  constructor(state: RunState, definition: StepDefinition, code: string, dependencies: readonly StepDependency[]) {
    this.#state = state
    this.#definition = definition
    this.#dependencies = dependencies
    const hashes = dependencies.map(({ as, isInput, outcome }) => ({ as, isInput, hash: outcome.hash }))
    const { key, parts } = partsOf(state.settings, definition, code, hashes)
    this.#key = key
    this.#parts = parts
    const valuesAt = (indexes: readonly number[]): Promise<unknown[]> => this.#valuesAt(indexes)
    this.elements = definition.kind === 'map' ? { hashes: () => this.#hashes(), valuesAt } : undefined
  }

  /** Only after `find`. */
  get hash(): string {
    return (this.#record as NodeRecord).hash
  }

  /** Looks the record up, and computes the result if there is none. */
  async find(): Promise<void> {
    this.#record = await this.#findRecord()
  }

  value(): Promise<unknown> {
    this.#value ??= this.#readValue()
    return this.#value
  }

  hashOf(value: unknown): string {
    const subject = (): string => `node '${this.#definition.node.name}': its result`
    if (this.#definition.kind === 'node' || !Array.isArray(value)) return hashValue(value, subject).hash
    return listHash(value.map((element) => hashValue(element, subject).hash))
  }

  async #findRecord(): Promise<NodeRecord> {
    const { computed, settings } = this.#state
    const { name } = this.#definition.node
    for (;;) {
      const own = computed.get(this.#key)
      if (own !== undefined) return own.record
      const isForced = this.#state.mustRefresh(name)
      const force = isForced || this.#state.lost.has(name)
      const { ttl } = this.#definition
      const { lock, signal } = settings
      let failure: { readonly error: unknown } | undefined
      try {
        const found = await settings.store.getOrLoad(
          this.#key,
          async (context) => {
            try {
              const { record, isStored } = await this.#compute(context.signal, isForced)
              context.store = isStored
              return record
            } catch (error) {
              failure = { error }
              throw error
            }
          },
          { ttl, force, lock, signal },
        )
        // A forced load that fails serves the earlier record.
        if (failure !== undefined) throw failure.error
        const made = computed.get(this.#key)
        if (made !== undefined) return made.record
        if (isNodeRecord(found)) {
          this.#state.lost.delete(name)
          this.#reportFound(found, isForced)
          return found
        }
        this.#state.lose(name, 'damaged', 'record', this.#key)
      } catch (error) {
        if (!this.#state.isForeign(error)) throw error
      }
    }
  }

  async #compute(signal: AbortSignal, isForced: boolean): Promise<Computed> {
    const state = this.#state
    const definition = this.#definition
    const { name } = definition.node
    const reason = isForced ? undefined : await this.#reason()
    const dependencies = new Map(this.#dependencies.map(({ as, outcome }) => [as, outcome]))
    const context = { state, definition, dependencies, parts: this.#parts, signal, isForced }
    const computed = definition.kind === 'map' ? await computeMap(context) : await computeNode(context)
    await state.stores(name, () => state.settings.store.setLatest(computed.record, definition.ttl))
    state.computed.set(this.#key, computed)
    state.lost.delete(name)
    state.markRefreshed(name)
    const { bytes, ms } = computed.record
    const map = 'hits' in computed ? (computed as ComputedMap) : undefined
    const savedMs = map?.savedMs ?? 0
    const base = {
      node: name,
      result: isForced ? 'forced' : 'miss',
      bytes,
      savedMs,
      ms: Math.max(0, ms - savedMs),
    } as const
    const because = reason === undefined ? {} : { reason }
    const report = { ...base, ...because, ...this.#itemsOf(map), dependencies: this.#names() }
    state.report(report, computed.isStored)
    return computed
  }

  #itemsOf(map: ComputedMap | undefined): object {
    if (map === undefined) return {}
    const { record, hits, computedItems, duplicates } = map
    return { items: { total: record.items ?? 0, hits, computed: computedItems, duplicates } }
  }

  #reportFound({ bytes, ms }: NodeRecord, isForced: boolean): void {
    const { name } = this.#definition.node
    this.#state.markRefreshed(name)
    // Another run of this process or another process was computing the forced node.
    const result = isForced ? 'forced' : 'hit'
    const savedMs = isForced ? 0 : ms
    this.#state.report({ node: name, result, ms: 0, savedMs, bytes, dependencies: this.#names() }, true)
  }

  #names(): string[] {
    return this.#dependencies.map(({ name }) => name)
  }

  async #reason(): Promise<MissReason> {
    const { name } = this.#definition.node
    const lost = this.#state.lost.get(name)
    if (lost !== undefined) return lost
    const names = new Map(this.#dependencies.map((dependency) => [dependency.as, dependency.name]))
    // A reason that cannot be read must not fail the node.
    const latest = await this.#state.settings.store.latest(name).catch(() => undefined)
    return reasonFor(latest, this.#parts, (as) => (as === overName ? (names.get(as) ?? as) : as))
  }

  async #readValue(): Promise<unknown> {
    if (this.elements !== undefined) {
      const hashes = await this.#hashes()
      return await this.#valuesAt([...hashes.keys()])
    }
    for (;;) {
      const own = this.#state.computed.get(this.#key)
      if (own !== undefined) return own.value
      const { state, value } = await this.#state.settings.store.getBlob(this.hash)
      if (state === 'found') return value
      await this.#recover(state, this.hash)
    }
  }

  async #hashes(): Promise<readonly string[]> {
    for (;;) {
      const own = this.#state.computed.get(this.#key)?.elements
      if (own !== undefined) return own.hashes
      const { state, hashes } = await this.#state.settings.store.getList(this.hash)
      if (state === 'found') return hashes
      await this.#recover(state, this.hash)
    }
  }

  async #valuesAt(indexes: readonly number[]): Promise<unknown[]> {
    for (;;) {
      const hashes = await this.#hashes()
      const known = this.#state.computed.get(this.#key)?.elements?.known
      const wanted = indexes.map((index) => hashes[index] as string)
      const unread = [...new Set(wanted)].filter((hash) => known?.has(hash) !== true)
      const blobs = await this.#state.settings.store.getBlobs(unread)
      const read = new Map(unread.map((hash, index) => [hash, blobs[index] as Blob]))
      const lost = [...read].filter(([, { state }]) => state !== 'found')
      if (lost.length === 0)
        return wanted.map((hash) => (known?.has(hash) === true ? known.get(hash) : read.get(hash)?.value))
      for (const [hash, { state }] of lost) {
        this.#state.lostBlobs.add(hash)
        await this.#recover(state === 'damaged' ? 'damaged' : 'absent', hash, lost.at(-1)?.[0] === hash)
      }
    }
  }

  /** Computes the result again whose blob is lost. */
  async #recover(state: Blob['state'], hash: string, isLast = true): Promise<void> {
    const { name } = this.#definition.node
    this.#state.lose(name, state === 'damaged' ? 'damaged' : 'absent', 'blob', hash)
    if (!isLast) return
    this.#state.computed.delete(this.#key)
    const before = this.hash
    this.#record = await this.#findRecord()
    if (this.hash !== before) throw new ResultChanged(this.#state, name)
  }
}
