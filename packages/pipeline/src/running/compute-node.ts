import { CacheError } from '@cache/core'
import { hashValue } from '../hashing/hash-value.ts'
import { storageFormat } from '../storage/node-record.ts'
import type { Computed } from './computed.ts'
import { NodeFailure } from './node-failure.ts'
import type { Outcome } from './outcome.ts'
import { checkWanted, type StepContext } from './step-context.ts'

/** Calls the function of a node, and stores its result. */
export async function computeNode(context: StepContext): Promise<Computed> {
  const { state, definition, dependencies, parts, signal } = context
  const { name } = definition.node
  const values = await valuesOf(dependencies)
  const fn = definition.fn as (...given: readonly unknown[]) => unknown
  const { env } = state.settings
  const given = definition.spreads ? (Object.values(values)[0] as readonly unknown[]) : [values, { env, signal }]
  let ms = 0
  const value = await state.slots.run(
    () => checkWanted(context),
    async () => {
      state.progress({ node: name, step: 'started' })
      const started = performance.now()
      try {
        return await fn(...given)
      } catch (error) {
        throw new NodeFailure(name, values, error)
      } finally {
        ms = performance.now() - started
      }
    },
  )
  checkUnchanged(name, values, dependencies)
  const { hash, bytes } = hashValue(value, () => `node '${name}': its result`)
  const record = { format: storageFormat, node: name, hash, bytes, ms, ...parts }
  const isStored = await state.stores(name, () => state.settings.store.setBlob(record, value))
  return { record, isStored, value }
}

/** The values of dependencies by the names that the function sees. */
export async function valuesOf(dependencies: ReadonlyMap<string, Outcome>): Promise<Record<string, unknown>> {
  const entries = [...dependencies].map(async ([as, outcome]) => [as, await outcome.value()] as const)
  return Object.fromEntries(await Promise.all(entries))
}

/**
 * Throws when a function has changed one of its dependencies. The keys of other nodes name the value before the change, but their functions
 * would get the value after it.
 */
export function checkUnchanged(
  node: string,
  values: Readonly<Record<string, unknown>>,
  dependencies: ReadonlyMap<string, Outcome>,
): void {
  for (const [as, outcome] of dependencies) {
    if (as in values && !isSame(outcome, values[as])) throw changedDependency(node, `its dependency '${as}'`)
  }
}

function isSame(outcome: Outcome, value: unknown): boolean {
  try {
    return outcome.hashOf(value) === outcome.hash
  } catch {
    // It has no hash any more.
    return false
  }
}

/** The error for a value that was changed during the run of a function that received it. */
export function changedDependency(node: string, what: string): CacheError {
  const message = `run: node '${node}' has changed ${what}, which other nodes and the cache use too; copy the value first`
  return new CacheError('INVALID_ARGUMENT', message, { operation: 'run' })
}
