import { type CacheError, cacheErrorCode } from '@cache/core'
import type { CodeHashes } from '../hashing/code-hashes.ts'
import type { NodeReport } from '../report/node-report.ts'
import type { PipelineStore } from '../storage/pipeline-store.ts'
import type { Computed } from './computed.ts'
import { ResultChanged, Stopped } from './interruptions.ts'
import type { PipelineEvents } from './pipeline-events.ts'
import type { Progress } from './progress.ts'
import { Slots } from './slots.ts'

export interface RunSettings {
  readonly pipeline: string
  readonly store: PipelineStore
  readonly events: PipelineEvents
  readonly codes: CodeHashes
  readonly env: unknown
  readonly envHash: string
  readonly lock: boolean
  readonly concurrency: number
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: Progress) => void) | undefined
  /** The names of the nodes to compute although they have a result. */
  readonly refresh: ReadonlySet<string>
  /** The number of nodes, without inputs. */
  readonly total: number
}

/** What the nodes of one run share. */
export class RunState {
  readonly settings: RunSettings
  readonly slots: Slots
  /** The results that this run has computed, by the key of their record. */
  readonly computed: Map<string, Computed> = new Map()
  /** The nodes whose stored result turned out to be unusable, and how. */
  readonly lost: Map<string, 'absent' | 'damaged'> = new Map()
  /** The hashes of blobs that turned out to be unusable. */
  readonly lostBlobs: Set<string> = new Set()
  readonly #refreshed = new Set<string>()
  readonly #reports = new Map<string, NodeReport>()
  readonly #kept = new Set<string>()
  #isStopped = false

  constructor(settings: RunSettings) {
    this.settings = settings
    this.slots = new Slots(settings.concurrency)
  }

  /** Throws when another node of this run has failed: nothing new begins after that. */
  readonly check = (): void => {
    if (this.#isStopped) throw new Stopped(this)
  }

  stop(): void {
    this.#isStopped = true
  }

  resume(): void {
    this.#isStopped = false
  }

  get isAborted(): boolean {
    return this.settings.signal?.aborted === true
  }

  /**
   * Whether an error belongs to another run of this process, whose load this run had joined: that run was stopped or aborted, and this one
   * tries again by itself.
   */
  isForeign(error: unknown): boolean {
    if (error instanceof Stopped || error instanceof ResultChanged) return error.run !== this
    return cacheErrorCode(error) === 'ABORTED' && (error as CacheError).operation === 'getOrSet' && !this.isAborted
  }

  mustRefresh(node: string): boolean {
    return this.settings.refresh.has(node) && !this.#refreshed.has(node)
  }

  markRefreshed(node: string): void {
    this.#refreshed.add(node)
  }

  /** Notes what happened to a node. A node that was computed stays so when it is looked up again. */
  report(report: NodeReport, isStored: boolean): void {
    const { node } = report
    if (isStored) this.#kept.add(node)
    const earlier = this.#reports.get(node)
    if (earlier !== undefined && earlier.result !== 'hit' && report.result === 'hit') return
    this.#reports.set(node, report)
    if (earlier === undefined) this.progress({ node, step: report.result === 'hit' ? 'hit' : 'computed' })
  }

  reportOf(node: string): NodeReport | undefined {
    return this.#reports.get(node)
  }

  /** The nodes other than `node` whose results are stored. */
  keptBesides(node: string): string[] {
    return [...this.#kept].filter((name) => name !== node)
  }

  /** A listener that throws does not harm the run: its error is thrown again in a microtask of its own. */
  progress(step: Omit<Progress, 'done' | 'total'>): void {
    const { onProgress, total } = this.settings
    if (onProgress === undefined) return
    try {
      onProgress({ ...step, done: this.#reports.size, total })
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }

  lose(node: string, state: 'absent' | 'damaged', part: 'record' | 'blob', key: string): void {
    this.lost.set(node, state)
    if (state === 'damaged') this.settings.events.emit('damaged', { node, part, key })
  }

  /** Runs a write. A failed write is an event: the result is there, and the run goes on with it. */
  async stores(node: string, write: () => Promise<void>): Promise<boolean> {
    try {
      await write()
      return true
    } catch (error) {
      this.settings.events.emit('notStored', { node, error })
      return false
    }
  }
}
