import type { CacheLike, Duration } from '@cache/core'
import type { InputDeclarations } from './graph/input.ts'
import type { Dependencies, PipelineNode } from './graph/pipeline-node.ts'
import type { CodeHasher } from './hashing/code-hasher.ts'
import type { Progress } from './running/progress.ts'

/** The caches of a pipeline: one for the records of nodes, and one for their results. */
export interface PipelineCaches {
  readonly meta: CacheLike
  readonly blobs: CacheLike
}

/** Options of `pipeline`. */
export interface PipelineOptions<Env, Inputs extends InputDeclarations> {
  /** The name is a part of every key: pipelines of one name share their results. */
  readonly name: string
  /** Where records and results are kept: one cache, or two. The pipeline uses a namespace of its own, and closes nothing. */
  readonly cache: CacheLike | PipelineCaches
  /** Data that all functions may use, as `context.env`. A change computes every node again. Default: none. */
  readonly env?: Env | undefined
  /** The inputs that a run gives, each declared by `input<Type>()`. Default: none. */
  readonly inputs?: Inputs | undefined
  /**
   * How code is identified where a node has no `version` and a build has written no hash: by the text of its function, with a warning, or by a
   * hasher such as `sourceCode(…)` of `@cache/pipeline/source`. A function that the hasher does not know is identified by its text. Default `'text'`.
   */
  readonly code?: 'text' | CodeHasher | undefined
  /** How many functions of one run may run at the same time. Default 8. */
  readonly concurrency?: number | undefined
  /**
   * One process at a time computes a node; the others wait for its result. Needs a backend with `compareAndSet`; without it they compute at
   * the same time. Default `true`.
   */
  readonly lock?: boolean | undefined
}

/** What nodes and maps have in common. */
export interface StepOptions {
  /**
   * The version of the code of the function: a new text computes the node again. Default: the hash of the code by the option `code` of the
   * pipeline.
   */
  readonly version?: string | undefined
  /** How long a result may be used. A change takes effect for results that are stored after it. Default `Infinity`. */
  readonly ttl?: Duration | undefined
}

/** Options of a node. */
export interface NodeOptions<Deps extends Dependencies> extends StepOptions {
  /**
   * The nodes and inputs whose values the function gets, by name. A text is the name of a node that may be defined later; the type of its value
   * is `unknown`. Default: all inputs of the pipeline.
   */
  readonly deps?: Deps | undefined
}

/** Options of a map. */
export interface MapOptions<Item, Needs extends string, Deps extends Dependencies> extends StepOptions {
  /** The node or input whose value is the array of items. */
  readonly over: PipelineNode<readonly Item[], Needs>
  /** Nodes and inputs whose values each call gets as `context.deps`. A change computes every item again. Default: none. */
  readonly deps?: Deps | undefined
  /** The name of an item in errors. Default: its index. */
  readonly key?: ((item: Item) => string | number) | undefined
}

/** The second argument of a node's function. */
export interface NodeContext<Env> {
  readonly env: Env
  /** Aborts when no run waits for the result any more. */
  readonly signal: AbortSignal
}

/** The second argument of a map's function. */
export interface MapContext<Env, Values> extends NodeContext<Env> {
  readonly deps: Values
}

/** Options of one run. */
export interface RunOptions {
  /** Aborting rejects the run with `ABORTED`. Functions that run get an aborted signal. Results that were stored stay. */
  readonly signal?: AbortSignal | undefined
  /** Called when a function begins, an item is done, and a node is done. */
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** Nodes to compute although they have a result, with all items of a map. Default: none. */
  readonly refresh?: readonly PipelineNode[] | undefined
}

/** Options of `explain`. */
export interface ExplainOptions {
  /** Nodes that the run would compute although they have a result. Default: none. */
  readonly refresh?: readonly PipelineNode[] | undefined
}

/** Options of `collect`. */
export interface CollectOptions {
  /** How old a blob must be. A run stores a result shortly before its record. Default `'1h'`. */
  readonly grace?: Duration | undefined
}
