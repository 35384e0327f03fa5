import { CacheError, type CacheLike } from '@cache/core'
import {
  checkOptions,
  invalidArgument,
  milliseconds,
  nonEmptyString,
  optionalSignal,
  trueOrFalse,
  wholeNumber,
  withMethods,
} from '@cache/core/backend'
import { type Dependency, overName, type StepDefinition } from './graph/definition.ts'
import { Graph, type PlannedDefinition } from './graph/graph.ts'
import type { InputDeclarations, InputValues } from './graph/input.ts'
import type { AllNeedsOf, Dependencies, PipelineNode, ValuesOf } from './graph/pipeline-node.ts'
import type { NodeFunction } from './hashing/code-hash.ts'
import { CodeHashes } from './hashing/code-hashes.ts'
import { hashValue } from './hashing/hash-value.ts'
import type {
  CollectOptions,
  ExplainOptions,
  MapContext,
  MapOptions,
  NodeContext,
  NodeOptions,
  PipelineOptions,
  RunOptions,
  StepOptions,
} from './options.ts'
import type { RunReport } from './report/run-report.ts'
import { explainPlan, type NodeExplanation } from './running/explain.ts'
import type { Outcome } from './running/outcome.ts'
import { type PipelineEventName, type PipelineEventPayloads, PipelineEvents } from './running/pipeline-events.ts'
import { checkRefresh, inputOutcome, Run } from './running/run.ts'
import type { RunSettings } from './running/run-state.ts'
import { type CollectedBlobs, collectBlobs } from './storage/collect-blobs.ts'
import { PipelineStore } from './storage/pipeline-store.ts'

/** The value of a node, and what the run did for it. */
export interface RunResult<Value> {
  readonly value: Value
  readonly report: RunReport
}

/** The arguments of `run` and `explain` behind the node: the needed inputs come first, and may be absent where none is needed. */
export type RunArguments<Inputs, Needs extends string, Options> = [Needs] extends [never]
  ? [inputs?: Record<string, never> | undefined, options?: Options]
  : [inputs: Pick<Inputs, Needs & keyof Inputs>, options?: Options]

const methods = ['getOrSet', 'get', 'getMany', 'has', 'hasMany', 'item', 'set', 'delete', 'clear', 'keys', 'entries']
const noDeps: Dependencies = {}

/** Memoized steps: each is computed once, and again only when its code, the environment, an input or the result of a dependency has changed. */
export class Pipeline<Env = undefined, Inputs extends InputDeclarations = Record<never, never>> {
  readonly name: string
  /** The inputs as nodes, for the dependencies of other nodes. */
  readonly inputs: {
    readonly [Name in keyof Inputs & string]: PipelineNode<InputValues<Inputs>[Name], Name>
  }
  readonly #env: Env
  readonly #store: PipelineStore
  readonly #graph: Graph
  readonly #codes: CodeHashes
  readonly #events = new PipelineEvents()
  readonly #concurrency: number
  readonly #lock: boolean

  /** Throws `INVALID_ARGUMENT`. */
  constructor(options: PipelineOptions<Env, Inputs>) {
    checkOptions(options, ['name', 'cache', 'env', 'inputs', 'code', 'concurrency', 'lock'], 'pipeline')
    const { name, cache, env, inputs, code = 'text', concurrency = 8, lock = true } = options
    this.name = nonEmptyString(name, 'name', 'pipeline')
    this.#store = openStore(cache, name)
    this.#env = env as Env
    if (code !== 'text') withMethods(code, ['hashOf'], 'code', "'text', or a hasher", 'pipeline')
    this.#codes = new CodeHashes(code === 'text' ? undefined : code)
    this.#concurrency = wholeNumber(concurrency, 'concurrency', 'pipeline', 1)
    this.#lock = trueOrFalse(lock, 'lock', 'pipeline')
    this.#graph = new Graph(name)
    this.inputs = this.#addInputs(inputs) as typeof this.inputs
    this.#envHash('pipeline')
  }

  /** Adds a node, and returns it for the dependencies of other nodes. `fn` gets the values of its dependencies. Throws `INVALID_ARGUMENT`. */
  node<const Deps extends Dependencies, Value>(
    name: string,
    options: NodeOptions<Deps> & { readonly deps: Deps },
    fn: (values: ValuesOf<Deps>, context: NodeContext<Env>) => Value,
  ): PipelineNode<Awaited<Value>, AllNeedsOf<Deps>>
  node<Value>(
    name: string,
    options: StepOptions & { readonly deps?: undefined },
    fn: (values: InputValues<Inputs>, context: NodeContext<Env>) => Value,
  ): PipelineNode<Awaited<Value>, keyof Inputs & string>
  node(name: string, options: NodeOptions<Dependencies>, fn: NodeFunction): PipelineNode {
    checkOptions(options, ['version', 'ttl', 'deps'], 'node')
    const deps = options.deps ?? (this.inputs as Dependencies)
    return this.#add('node', name, options, fn, dependenciesOf(deps, 'node'))
  }

  /**
   * Adds a node that calls `fn` for each element of an array, and returns it. Its value is the array of the results. Each item has a record of its
   * own: new and changed items are computed, and equal ones once. Throws `INVALID_ARGUMENT`.
   */
  map<Item, Value, Needs extends string = never, const Deps extends Dependencies = Record<never, never>>(
    name: string,
    options: MapOptions<Item, Needs, Deps>,
    fn: (item: Item, context: MapContext<Env, ValuesOf<Deps>>) => Value,
  ): PipelineNode<Awaited<Value>[], Needs | AllNeedsOf<Deps>> {
    checkOptions(options, ['version', 'ttl', 'over', 'deps', 'key'], 'map')
    const { over, deps = noDeps, key } = options
    if (key !== undefined && typeof key !== 'function')
      throw invalidArgument('key', key, 'a function that returns the name of an item', 'map')
    const dependencies = [{ as: overName, target: over }, ...dependenciesOf(deps, 'map')]
    const itemName = key as ((item: unknown) => unknown) | undefined
    return this.#add('map', name, options, fn as NodeFunction, dependencies, itemName) as PipelineNode<
      Awaited<Value>[],
      Needs | AllNeedsOf<Deps>
    >
  }

  /**
   * A function whose results are kept like those of a node: `fn` runs once for equal arguments, until its code or the environment changes. The
   * arguments are hashed as data, so they must be data. The returned function rejects like `run`. Throws `INVALID_ARGUMENT`.
   */
  func<Arguments extends readonly unknown[], Value>(
    name: string,
    options: StepOptions,
    fn: (...args: Arguments) => Value,
  ): (...args: Arguments) => Promise<Awaited<Value>> {
    checkOptions(options, ['version', 'ttl'], 'func')
    const own = `${nonEmptyString(name, 'name', 'func')}(arguments)`
    const given: PipelineNode = Object.freeze({ name: own, kind: 'input' })
    if (typeof fn !== 'function') throw invalidArgument('fn', fn, 'a function', 'func')
    this.#graph.add({ kind: 'input', node: given, dependencies: [] }, 'func')
    const dependencies = [{ as: 'arguments', target: given }]
    const node = this.#add('node', name, options, fn, dependencies, undefined, true)
    return async (...args: Arguments): Promise<Awaited<Value>> => {
      const plan = this.#graph.plan(node, name)
      const outcomes = new Map([[own, inputOutcome('arguments', args, name)]])
      const { value } = await new Run(this.#settings({}, new Set(), 1, name), plan, outcomes).result()
      return value as Awaited<Value>
    }
  }

  /**
   * Resolves to the value of a node and to the report. Nodes that do not depend on each other run at the same time. Rejects with a
   * `NodeError` when a function fails, `ABORTED` when the signal aborts, `INVALID_ARGUMENT` for a missing or unhashable input or result,
   * for nodes that depend on each other, and for a function that changes a dependency.
   */
  async run<Value, Needs extends string>(
    node: PipelineNode<Value, Needs>,
    ...[inputs, options = {}]: RunArguments<InputValues<Inputs>, Needs, RunOptions>
  ): Promise<RunResult<Value>> {
    checkOptions(options, ['signal', 'onProgress', 'refresh'], 'run')
    const { signal, onProgress, refresh } = options
    optionalSignal(signal, 'signal', 'run')
    if (onProgress !== undefined && typeof onProgress !== 'function')
      throw invalidArgument('onProgress', onProgress, 'a function', 'run')
    if (signal?.aborted === true)
      throw new CacheError('ABORTED', 'run: the signal was aborted', { operation: 'run', cause: signal.reason })
    const { plan, steps, outcomes } = this.#prepare(node, inputs, 'run')
    const settings = this.#settings({ signal, onProgress }, refreshed(refresh, steps, 'run'), steps.length, 'run')
    return (await new Run(settings, plan, outcomes).result()) as RunResult<Value>
  }

  /** Resolves to what `run` would do for each node. Runs no function, and writes nothing. Rejects with `INVALID_ARGUMENT` like `run`. */
  async explain<Value, Needs extends string>(
    node: PipelineNode<Value, Needs>,
    ...[inputs, options = {}]: RunArguments<InputValues<Inputs>, Needs, ExplainOptions>
  ): Promise<NodeExplanation[]> {
    checkOptions(options, ['refresh'], 'explain')
    const { plan, steps, outcomes } = this.#prepare(node, inputs, 'explain')
    return await explainPlan(plan, {
      pipeline: this.name,
      store: this.#store,
      envHash: this.#envHash('explain'),
      codes: this.#codes,
      refresh: refreshed(options.refresh, steps, 'explain'),
      inputHashes: new Map([...outcomes].map(([name, { hash }]) => [name, hash])),
    })
  }

  /** Calls `listener` at every event of this name; returns the function that ends it. Throws `INVALID_ARGUMENT`. */
  on<Name extends PipelineEventName>(name: Name, listener: (payload: PipelineEventPayloads[Name]) => void): () => void {
    return this.#events.add(name, listener)
  }

  /** Removes all records and results of this pipeline, and of no other. Results of running nodes reach their runs, and are not used again. */
  async clear(): Promise<void> {
    await this.#store.clear()
  }

  /**
   * Removes the results that no record names. Resolves to how many were removed and kept. A result that is removed although a run has just found it
   * is computed again. Needs a backend with `keys` (`UNSUPPORTED`).
   */
  async collect(options: CollectOptions = {}): Promise<CollectedBlobs> {
    checkOptions(options, ['grace'], 'collect')
    return await collectBlobs(this.#store, milliseconds(options.grace ?? '1h', 'grace', 'collect'))
  }

  #settings(
    { signal, onProgress }: Pick<RunOptions, 'signal' | 'onProgress'>,
    refresh: ReadonlySet<string>,
    total: number,
    operation: string,
  ): RunSettings {
    return {
      pipeline: this.name,
      store: this.#store,
      events: this.#events,
      codes: this.#codes,
      env: this.#env,
      envHash: this.#envHash(operation),
      lock: this.#lock,
      concurrency: this.#concurrency,
      signal,
      onProgress,
      refresh,
      total,
    }
  }

  #addInputs(inputs: Inputs | undefined): Readonly<Record<string, PipelineNode>> {
    if (inputs !== undefined && (typeof inputs !== 'object' || inputs === null))
      throw invalidArgument('inputs', inputs, 'an object of declarations: { dir: input<string>() }', 'pipeline')
    const entries = Object.keys(inputs ?? {}).map((name) => {
      const node: PipelineNode = Object.freeze({ name: nonEmptyString(name, 'an input', 'pipeline'), kind: 'input' })
      this.#graph.add({ kind: 'input', node, dependencies: [] }, 'pipeline')
      return [name, node] as const
    })
    return Object.freeze(Object.fromEntries(entries))
  }

  #add(
    kind: 'node' | 'map',
    name: string,
    { version, ttl = Number.POSITIVE_INFINITY }: StepOptions,
    fn: NodeFunction,
    dependencies: readonly Dependency[],
    itemName?: (item: unknown) => unknown,
    spreads = false,
  ): PipelineNode {
    if (typeof fn !== 'function') throw invalidArgument('fn', fn, 'a function', kind)
    const node: PipelineNode = Object.freeze({ name: nonEmptyString(name, 'name', kind), kind })
    if (version !== undefined) nonEmptyString(version, 'version', kind)
    const life = milliseconds(ttl, 'ttl', kind)
    if (life === 0) throw invalidArgument('ttl', ttl, 'more than 0', kind)
    this.#graph.add({ kind, node, dependencies, fn, version, ttl: life, itemName, spreads }, kind)
    return node
  }

  /** Hashed at each call: the application may have changed the object. */
  #envHash(operation: string): string {
    return hashValue(this.#env, () => `${operation}: env`).hash
  }

  #prepare(
    node: PipelineNode,
    inputs: unknown,
    operation: string,
  ): {
    readonly plan: readonly PlannedDefinition[]
    readonly steps: readonly StepDefinition[]
    readonly outcomes: ReadonlyMap<string, Outcome>
  } {
    const plan = this.#graph.plan(node, operation)
    const given = inputs ?? {}
    checkOptions(given, Object.keys(this.inputs), `${operation}: inputs`)
    const outcomes = new Map<string, Outcome>()
    const steps: StepDefinition[] = []
    for (const { definition } of plan) {
      if (definition.kind !== 'input') {
        steps.push(definition)
        continue
      }
      const { name } = definition.node
      if (!Object.hasOwn(given, name)) {
        const message = `${operation}: the input '${name}' is missing; node '${node.name}' needs it`
        throw new CacheError('INVALID_ARGUMENT', message, { operation })
      }
      outcomes.set(name, inputOutcome(name, (given as Record<string, unknown>)[name], operation))
    }
    return { plan, steps, outcomes }
  }
}

/** A pipeline without nodes. Throws `INVALID_ARGUMENT`. */
export function pipeline<const Env = undefined, Inputs extends InputDeclarations = Record<never, never>>(
  options: PipelineOptions<Env, Inputs>,
): Pipeline<Env, Inputs> {
  return new Pipeline(options)
}

function openStore(cache: unknown, name: string): PipelineStore {
  const given = typeof cache === 'object' && cache !== null && 'meta' in cache ? cache : { meta: cache, blobs: cache }
  const { meta, blobs } = given as { readonly meta: CacheLike; readonly blobs: CacheLike }
  const isPair = given === cache
  if (isPair) checkOptions(given, ['meta', 'blobs'], 'pipeline: cache')
  const open = (one: CacheLike, option: string): CacheLike => {
    withMethods(one, [...methods, 'namespace'], option, 'a Cache', 'pipeline')
    return one.namespace('pipeline').namespace(name)
  }
  const own = open(meta, isPair ? 'cache.meta' : 'cache')
  return new PipelineStore(own, meta === blobs ? own : open(blobs, 'cache.blobs'))
}

/** In the order of the names, so that the order in the source has no effect on keys. */
function dependenciesOf(deps: unknown, operation: string): Dependency[] {
  if (typeof deps !== 'object' || deps === null || Array.isArray(deps))
    throw invalidArgument('deps', deps, 'an object of nodes: { parts }', operation)
  return Object.entries(deps as Dependencies)
    .map(([as, target]) => ({ as: nonEmptyString(as, 'a name in deps', operation), target }))
    .sort((one, other) => (one.as < other.as ? -1 : 1))
}

function refreshed(
  refresh: readonly PipelineNode[] | undefined,
  steps: readonly StepDefinition[],
  operation: string,
): ReadonlySet<string> {
  if (refresh === undefined) return new Set()
  if (!Array.isArray(refresh)) throw invalidArgument('refresh', refresh, 'an array of nodes', operation)
  const names = new Set(refresh.map((node: PipelineNode | undefined) => String(node?.name)))
  checkRefresh(names, steps, operation)
  return names
}
