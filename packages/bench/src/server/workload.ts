/** The measurements of a cache whose store is a server. */
import type { CandidateContext, Measurement } from '../harness/suite.ts'

export const operations = ['get', 'set', 'increment', 'getMany', 'setMany'] as const
export type OperationName = (typeof operations)[number]

/**
 * The values by their names in the rows. Every candidate stores texts in the same way; its codec encodes the others.
 */
export const values: Readonly<Record<string, unknown>> = {
  integer: 1_234_567,
  'small object': {
    id: 4711,
    name: 'Ada Lovelace',
    email: 'ada@example.org',
    roles: ['admin', 'editor'],
    active: true,
  },
  '200 B': 'x'.repeat(200),
  '10 KB': 'x'.repeat(10_000),
  '200 KB': 'x'.repeat(200_000),
}

/** One row: the operation, the value, and the number of concurrent callers. */
export interface Scenario {
  readonly operation: OperationName
  readonly value: string
  readonly concurrency: number
}

export const batchSize = 100

export function rowName({ operation, value, concurrency }: Scenario): string {
  return `${operation}, ${operation === 'increment' ? '' : `${value}, `}${concurrency} at once`
}

/**
 * The measured store. Every operation resolves to whether its result was right; values are compared as far as that
 * costs nothing.
 */
export interface Contestant {
  get?(key: string): Promise<unknown>
  set?(key: string, value: unknown): Promise<unknown>
  increment?(key: string): Promise<number>
  getMany?(keys: readonly string[]): Promise<readonly unknown[]>
  setMany?(entries: readonly (readonly [key: string, value: unknown])[]): Promise<unknown>
  close(): unknown
  /** The result of `get` for this value, where it differs from the value. */
  stored?(value: unknown): unknown
}

/** Few large values, so that the server's memory is not measured. */
function keyCount(value: string): number {
  return value === '200 KB' ? 100 : 1000
}

function sameValue(found: unknown, expected: unknown): boolean {
  if (typeof expected === 'string') return typeof found === 'string' && found.length === expected.length
  if (typeof expected === 'number') return found === expected
  return (found as { id?: unknown } | null | undefined)?.id === (expected as { id: unknown }).id
}

/** Operations per second (keys, for the batches) by the wall clock, and whether every answer was right. */
export async function measureScenario(
  scenario: Scenario,
  contestant: Contestant,
  context: CandidateContext,
): Promise<Measurement> {
  const value = values[scenario.value]
  const keys = Array.from({ length: keyCount(scenario.value) }, (_, index) => `key:${index}`)
  const expected = contestant.stored === undefined ? value : contestant.stored(value)
  if (scenario.operation === 'get' || scenario.operation === 'getMany') await fill(contestant, keys, value)
  const work = operationOf(scenario.operation, contestant, keys, value, expected)
  // Warm up: freshly compiled code is not measured.
  const warm = await runFor(context.quick ? 500 : 1000, scenario.concurrency, work)
  const measured = await runFor(context.quick ? 300 : 1000, scenario.concurrency, work)
  const isWhole = await check(scenario, contestant, keys, expected, warm.calls + measured.calls)
  const perCall = scenario.operation.endsWith('Many') ? batchSize : 1
  const isRight = warm.wrong + measured.wrong === 0 && isWhole
  return { value: (measured.calls * perCall * 1000) / measured.ms, work: isRight ? 1 : 0 }
}

async function fill(contestant: Contestant, keys: readonly string[], value: unknown): Promise<void> {
  for (const key of keys) await contestant.set?.(key, value)
}

/** One call, and whether its answer is right. Two functions, so that the benchmark adds no promise. */
interface Work {
  call(index: number): Promise<unknown>
  isRight(answer: unknown): boolean
}

function operationOf(
  operation: OperationName,
  contestant: Contestant,
  keys: readonly string[],
  value: unknown,
  expected: unknown,
): Work {
  const key = (index: number): string => keys[index % keys.length] as string
  const batch = (index: number): string[] => Array.from({ length: batchSize }, (_, n) => key(index * batchSize + n))
  const isDone = (): boolean => true
  switch (operation) {
    case 'get':
      return {
        call: (index) => able(contestant.get)(key(index)),
        isRight: (answer) => sameValue(answer, expected),
      }
    case 'set':
      return { call: (index) => able(contestant.set)(key(index), value), isRight: isDone }
    case 'increment':
      return { call: (index) => able(contestant.increment)(key(index)), isRight: (answer) => Number(answer) > 0 }
    case 'getMany':
      return {
        call: (index) => able(contestant.getMany)(batch(index)),
        isRight: (answer) => {
          const found = answer as readonly unknown[]
          return found.length === batchSize && found.every((one) => sameValue(one, expected))
        },
      }
    case 'setMany':
      return {
        call: (index) => able(contestant.setMany)(batch(index).map((one) => [one, value] as const)),
        isRight: isDone,
      }
  }
}

function able<Method>(method: Method | undefined): Method {
  if (method === undefined) throw new Error('this contestant does not take part in the row')
  return method
}

interface Run {
  readonly calls: number
  readonly wrong: number
  readonly ms: number
}

/**
 * Runs concurrent callers, each of which calls again after its answer. A timer ends the run, because a look at the
 * clock in every call would be measured too.
 */
async function runFor(ms: number, callers: number, { call, isRight }: Work): Promise<Run> {
  let isOver = false
  const timer = setTimeout(() => {
    isOver = true
  }, ms)
  const start = performance.now()
  let calls = 0
  let wrong = 0
  const one = async (caller: number): Promise<void> => {
    for (let index = caller * 7; !isOver; index += 1) {
      if (!isRight(await call(index))) wrong += 1
      calls += 1
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, caller) => one(caller)))
  clearTimeout(timer)
  return { calls, wrong, ms: performance.now() - start }
}

/** Checks that written values are stored and that counters have the right sum. */
async function check(
  { operation, concurrency }: Scenario,
  contestant: Contestant,
  keys: readonly string[],
  expected: unknown,
  calls: number,
): Promise<boolean> {
  if (operation === 'increment') {
    let sum = 0
    // One more increment each returns the last count.
    for (const key of keys) sum += ((await contestant.increment?.(key)) ?? 0) - 1
    return sum === calls
  }
  if (operation.startsWith('get')) return true
  // Only the first key of each caller is certain to be written: a slow caller writes few keys.
  const perCall = operation === 'setMany' ? batchSize : 1
  for (let caller = 0; caller < Math.min(concurrency, 10); caller += 1) {
    const key = keys[(firstIndex(caller) * perCall) % keys.length] as string
    if (!sameValue(await contestant.get?.(key), expected)) return false
  }
  return true
}

/** Callers begin at different keys. */
function firstIndex(caller: number): number {
  return caller * 7
}
