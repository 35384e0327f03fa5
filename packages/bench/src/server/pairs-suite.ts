import { median } from '../harness/statistics.ts'
import type { CandidateContext, Measurement, ResultRow, Suite } from '../harness/suite.ts'
import type { Goal } from './goals.ts'
import { type Contestant, rowName, type Scenario, values } from './workload.ts'

/** A plain client and the whole cache on it, which take turns. */
export interface Pairs {
  readonly name: string
  /** A description of the plain client. */
  readonly plain: string
  readonly packages: readonly string[]
  readonly openPlain: (url: string) => Promise<Contestant>
  readonly openCache: (url: string) => Promise<Contestant>
  readonly empty: (url: string) => Promise<void>
  readonly start: () => Promise<{ readonly url: string; stop(): Promise<void> }>
  readonly goals: readonly Goal[]
}

const scenarios: readonly Scenario[] = (['get', 'set'] as const).flatMap((operation) =>
  Object.keys(values).flatMap((value) => [1, 100].map((concurrency) => ({ operation, value, concurrency }))),
)

/** The number of slices of each, in turns. Other load on the machine affects both. */
const pairs = 16
const sliceMs = 400

interface Slice {
  readonly rate: number
  readonly wrong: number
}

/** A timer ends it, because a look at the clock in every call would be measured too. */
async function slice(contestant: Contestant, scenario: Scenario, keys: readonly string[]): Promise<Slice> {
  const { operation, concurrency } = scenario
  const value = values[scenario.value]
  let isOver = false
  setTimeout(() => {
    isOver = true
  }, sliceMs)
  const start = performance.now()
  let calls = 0
  let wrong = 0
  const one = async (caller: number): Promise<void> => {
    for (let index = caller * 7; !isOver; index += 1) {
      const key = keys[index % keys.length] as string
      if (operation === 'set') await contestant.set?.(key, value)
      else if ((await contestant.get?.(key)) === undefined) wrong += 1
      calls += 1
    }
  }
  await Promise.all(Array.from({ length: concurrency }, (_, caller) => one(caller)))
  return { rate: calls / (performance.now() - start), wrong }
}

async function measure(row: string, given: Pairs, { shared, quick }: CandidateContext): Promise<Measurement> {
  const { url } = shared as { url: string }
  const scenario = scenarios.find((one) => rowName(one) === row) as Scenario
  const keys = Array.from({ length: scenario.value === '200 KB' ? 100 : 1000 }, (_, index) => `key:${index}`)
  await given.empty(url)
  const [plain, cache] = [await given.openPlain(url), await given.openCache(url)]
  for (const contestant of [plain, cache]) {
    for (const key of keys) await contestant.set?.(key, values[scenario.value])
    await slice(contestant, scenario, keys)
    await slice(contestant, scenario, keys)
  }
  const ratios: number[] = []
  let wrong = 0
  for (let pair = 0; pair < (quick ? pairs / 2 : pairs); pair += 1) {
    // The second of a pair also collects the garbage of the first, so the order alternates.
    const turns = pair % 2 === 0 ? [plain, cache] : [cache, plain]
    const slices = new Map<Contestant, Slice>()
    for (const contestant of turns) slices.set(contestant, await slice(contestant, scenario, keys))
    ratios.push((slices.get(cache) as Slice).rate / (slices.get(plain) as Slice).rate)
    for (const one of slices.values()) wrong += one.wrong
  }
  await plain.close()
  await cache.close()
  return { value: median(ratios), work: wrong === 0 ? 1 : 0 }
}

/** Runs both in turns in one process. The median of the pairs is robust against a machine of changing speed. */
export function pairsSuite(given: Pairs): Suite {
  const { name, plain, packages, goals } = given
  return {
    name,
    says: `Calls per second of the whole cache as a multiple of ${plain}, both in turns in one process: the median of the pairs, which is robust against a machine of changing speed.`,
    baseline: 'Cache',
    rows: scenarios.map((scenario) => ({
      name: rowName(scenario),
      unit: '× the plain client',
      better: 'higher',
      work: 1,
    })),
    candidates: [{ name: 'Cache', packages, measure: (row, context) => measure(row, given, context) }],
    repetitions: 3,
    async open() {
      const server = await given.start()
      return { shared: { url: server.url }, close: () => server.stop() }
    },
    conclude: (results) => verdicts(results, goals),
  }
}

function verdicts(results: readonly ResultRow[], goals: readonly Goal[]): string[] {
  return results.flatMap(({ row, value }) => {
    const goal = goals.find(([pattern]) => pattern.test(row))?.[1]
    if (goal === undefined) return []
    return [`${row}: ${value.toFixed(2)} times the plain client, goal ${goal}: ${value >= goal ? 'met' : 'NOT met'}`]
  })
}
