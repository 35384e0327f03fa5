import type { StepDefinition } from '../graph/definition.ts'
import { overName } from '../graph/definition.ts'
import type { PlannedDefinition } from '../graph/graph.ts'
import type { CodeHashes } from '../hashing/code-hashes.ts'
import type { MissReason } from '../report/node-report.ts'
import type { PipelineStore } from '../storage/pipeline-store.ts'
import { reasonFor } from './reason.ts'
import { partsOf } from './step.ts'

/** What a run would do for one node. */
export interface NodeExplanation {
  readonly node: string
  /**
   * `miss` and `forced` would be computed. `unknown` depends on a node that would be computed: it is a hit if that node returns the result that
   * it had before.
   */
  readonly result: 'hit' | 'miss' | 'forced' | 'unknown'
  /** Absent for `hit` and `forced`. For `unknown`, the first dependency that would be computed. */
  readonly reason?: MissReason
  /** The names of the nodes that it depends on. */
  readonly dependencies: readonly string[]
}

export interface ExplainSettings {
  readonly pipeline: string
  readonly store: PipelineStore
  readonly envHash: string
  readonly codes: CodeHashes
  readonly refresh: ReadonlySet<string>
  readonly inputHashes: ReadonlyMap<string, string>
}

/** A node with its explanation so far. */
interface Judged {
  readonly planned: PlannedDefinition
  readonly definition: StepDefinition
  explanation: NodeExplanation
  /** Of a hit. */
  readonly hash: string | undefined
}

/** Looks up the records of a plan, and the blobs that a run would read. Calls no function of a node, and writes nothing. */
export async function explainPlan(
  plan: readonly PlannedDefinition[],
  settings: ExplainSettings,
): Promise<NodeExplanation[]> {
  const judged = new Map<string, Judged>()
  for (const planned of plan) {
    const { definition } = planned
    if (definition.kind === 'input') continue
    judged.set(definition.node.name, await judge(planned, definition, judged, settings))
  }
  const target = plan.at(-1)?.definition.node.name ?? ''
  await findLostBlobs(target, judged, settings.store)
  return [...judged.values()].map(({ explanation }) => explanation)
}

async function judge(
  planned: PlannedDefinition,
  definition: StepDefinition,
  judged: ReadonlyMap<string, Judged>,
  settings: ExplainSettings,
): Promise<Judged> {
  const { store, refresh, inputHashes } = settings
  const { name } = definition.node
  const dependencies = planned.dependencies.map(({ definition: target }) => target.node.name)
  const base = { node: name, dependencies }
  if (refresh.has(name)) return { planned, definition, explanation: { ...base, result: 'forced' }, hash: undefined }
  const open = dependencies.find(
    (dependency) => judged.get(dependency)?.explanation.result !== 'hit' && judged.has(dependency),
  )
  if (open !== undefined) {
    const explanation: NodeExplanation = { ...base, result: 'unknown', reason: `dep:${open}` }
    return { planned, definition, explanation, hash: undefined }
  }
  const hashes = planned.dependencies.map(({ as, definition: target }) => {
    const isInput = target.kind === 'input'
    const hash = isInput ? inputHashes.get(target.node.name) : judged.get(target.node.name)?.hash
    return { as, isInput, hash: hash as string }
  })
  const { key, parts } = partsOf(settings, definition, await settings.codes.of(definition), hashes)
  const record = await store.record(key)
  if (record !== undefined) return { planned, definition, explanation: { ...base, result: 'hit' }, hash: record.hash }
  const over = planned.dependencies.find(({ as }) => as === overName)?.definition.node.name
  const reason = reasonFor(await store.latest(name), parts, (as) => (as === overName ? (over ?? as) : as))
  return { planned, definition, explanation: { ...base, result: 'miss', reason }, hash: undefined }
}

/** A hit whose blob would be read, but is not there, would be computed. That needs the blobs of its own dependencies in turn. */
async function findLostBlobs(target: string, judged: ReadonlyMap<string, Judged>, store: PipelineStore): Promise<void> {
  const looked = new Set<string>()
  const wanted = [
    target,
    ...[...judged.values()].flatMap((one) => (isComputed(one) ? one.explanation.dependencies : [])),
  ]
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    const one = judged.get(name)
    if (one?.hash === undefined || looked.has(name)) continue
    looked.add(name)
    const isThere =
      one.definition.kind === 'map' ? await store.hasList(one.hash) : (await store.hasBlobs([one.hash])).every(Boolean)
    if (isThere) continue
    one.explanation = { ...one.explanation, result: 'miss', reason: 'absent' }
    wanted.push(...one.explanation.dependencies)
  }
}

function isComputed({ explanation }: Judged): boolean {
  return explanation.result === 'miss' || explanation.result === 'forced'
}
