import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test, vi } from 'vitest'
import { readCommandLine } from '../src/harness/command-line.ts'
import { createProgress } from '../src/harness/progress.ts'
import { runSuite } from '../src/harness/run-suite.ts'
import { median, spread } from '../src/harness/statistics.ts'
import type { ResultRow, Suite } from '../src/harness/suite.ts'
import { formatFigure, table } from '../src/harness/table.ts'
import { suite } from './loop-suite.ts'

// Most tests start processes, and a busy machine starts them slowly.
vi.setConfig({ testTimeout: 60_000 })

const module = new URL('./loop-suite.ts', import.meta.url).href
const options = { module, quick: true, args: [], rows: [], repetitions: 1, progress: () => {} }

function only(...names: string[]): Suite {
  const all = suite.candidates as readonly { readonly name: string }[]
  return { ...suite, candidates: all.filter(({ name }) => names.includes(name)) as never }
}

test('the median of an odd number of values is the middle one, of an even number the mean of two', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([10, 1, 2, 3])).toBe(2.5)
  expect(() => median([])).toThrow('no values')
})

test('the spread is the range as a share of the median', () => {
  expect(spread([9, 10, 12])).toBe(0.3)
  expect(spread([5])).toBe(0)
  expect(spread([0, 0])).toBe(0)
})

test('an honest candidate gets a figure, and a ratio to the baseline of the same run', async () => {
  const { rows, failures } = await runSuite(only('sync', 'async'), { ...options, candidates: [], repetitions: 2 })
  expect(failures).toEqual([])
  expect(rows.map(({ row, candidate }) => `${row} ${candidate}`)).toEqual(['count sync', 'count async', 'other sync'])
  const [sync, slow] = rows as [ResultRow, ResultRow]
  expect(sync).toEqual({ ...sync, suite: 'loop', unit: 'ns/op', baseline: 'sync', ratio: 1 })
  expect(slow.ratio).toBe(slow.value / sync.value)
})

test('a candidate that did less than the work of its row fails', async () => {
  const { rows, failures } = await runSuite(only('sync', 'idle'), { ...options, candidates: [] })
  expect(rows.map(({ candidate }) => candidate)).toEqual(['sync', 'sync'])
  expect(failures.map(({ row, candidate, reason }) => `${row} ${candidate}: ${reason}`)).toEqual([
    'count idle: it did not do the work of the row: reported 0, expected 1000',
    'other idle: counted 0',
  ])
})

test.for([
  ['uneven', 'different work'],
  ['throwing', 'no server'],
  ['dying', 'ended (3) without a report'],
  ['hanging', 'more than 10000 ms'],
  ['not a number', 'its figure is NaN'],
])('a candidate that is %s fails, and the others keep their figures', async ([name, reason]) => {
  // Only the hanging candidate needs a short limit: a busy machine may start the others slowly.
  const timeLimit = name === 'hanging' ? 10_000 : 60_000
  const { rows, failures } = await runSuite(
    { ...only('sync', name as string), timeLimit },
    {
      ...options,
      candidates: [],
      rows: ['count'],
    },
  )
  expect(rows.map(({ candidate }) => candidate)).toEqual(['sync'])
  expect(failures.map(({ candidate }) => candidate)).toEqual([name])
  expect(failures[0]?.reason).toContain(reason)
})

test('a row whose baseline failed has no figures, and names the baseline', async () => {
  const broken: Suite = { ...only('dying', 'async'), baseline: 'dying' }
  const { rows, failures } = await runSuite(broken, { ...options, candidates: [], rows: ['count'] })
  expect(rows).toEqual([])
  expect(failures.map(({ candidate }) => candidate)).toEqual(['dying'])
})

test('a baseline always runs, also when other candidates are selected', async () => {
  const { rows } = await runSuite(suite, { ...options, candidates: ['async'], rows: ['count'] })
  expect(rows.map(({ candidate }) => candidate)).toEqual(['sync', 'async'])
})

test('an unknown candidate or row is refused with the list of known ones', async () => {
  const all = 'sync, async, idle, uneven, throwing, dying, hanging, not a number'
  await expect(runSuite(suite, { ...options, candidates: ['x'] })).rejects.toThrow(
    `unknown candidate 'x'; there are: ${all}`,
  )
  await expect(runSuite(suite, { ...options, candidates: [], rows: ['x'] })).rejects.toThrow(
    "unknown row 'x'; there are: count, other",
  )
})

test('the resource of a suite is closed, also when its candidates fail', async () => {
  let closed = 0
  const close = async (): Promise<void> => {
    closed += 1
  }
  const opening: Suite = {
    ...only('sync', 'idle'),
    open: async () => ({ shared: { step: 1 }, close }),
  }
  await runSuite(opening, { ...options, candidates: [], rows: ['count'] })
  expect(closed).toBe(1)
})

test('all rows of a candidate share a process where the suite says so', async () => {
  const seen: string[] = []
  const progress = (_done: number, total: number, job: string): void => void seen.push(`${total} ${job}`)
  await runSuite({ ...only('sync'), processPer: 'candidate' }, { ...options, candidates: [], progress })
  expect(seen).toEqual(['1 sync: 2 rows'])
})

test('the table puts the best first and shows failures', () => {
  const row = { name: 'get', unit: 'op/s', better: 'higher', work: 1 } as const
  const result = { suite: 's', row: 'get', unit: 'op/s', baseline: 'a' }
  const rows: ResultRow[] = [
    { ...result, candidate: 'a', value: 1_234_567, spread: 0.1, ratio: 1 },
    { ...result, candidate: 'b', value: 2_469_134, spread: 0.02, ratio: 2 },
  ]
  expect(table([row], rows, [{ row: 'get', candidate: 'c', reason: 'x' }], 4)).toBe(
    [
      'get  (higher is better; ratio to a)',
      '  b       2 469 134 op/s  ±  1 %      2.00×',
      '  a       1 234 567 op/s  ±  5 %      1.00×',
      '  c    failed',
    ].join('\n'),
  )
})

test('a figure has three significant digits and no exponent', () => {
  expect([0, 0.01234, 1.005, 12.34, 123.4, 1234.5, 1e9].map(formatFigure)).toEqual([
    '0',
    '0.0123',
    '1.00',
    '12.3',
    '123',
    '1 235',
    '1 000 000 000',
  ])
})

test('progress is one line that is rewritten on a terminal, and a line at each tenth elsewhere', () => {
  for (const isTTY of [true, false]) {
    let written = ''
    let time = 0
    const write = (text: string): void => {
      written += text
    }
    const progress = createProgress({ isTTY, write } as never, () => time)
    for (let done = 0; done < 20; done += 1) {
      progress.show(done, 20, `step ${done}`)
      time += 1000
    }
    expect(written.split('\n').length - 1).toBe(isTTY ? 0 : 10)
    expect(written).toContain('[10/20] 10 s, about 10 s left  step 10')
  }
})

test('the command line is read, and a bad number of repetitions is refused', () => {
  expect(readCommandLine(['cost', 'x', '--quick', '--json', 'f', '--row', 'get', '--repetitions', '7'])).toEqual({
    suite: 'cost',
    args: ['x'],
    json: 'f',
    quick: true,
    candidates: [],
    rows: ['get'],
    repetitions: 7,
  })
  expect(() => readCommandLine(['cost', '--repetitions', '0'])).toThrow('whole number of 1 or more')
  expect(() => readCommandLine(['cost', '--fast'])).toThrow('--fast')
})

test.for([
  [['nonsense'], "unknown suite 'nonsense'"],
  [[], 'no suite was named'],
  [['constructor'], "unknown suite 'constructor'"],
])('the command refuses %j with the list of suites and a non-zero exit code', async ([args, complaint]) => {
  const program = fileURLToPath(new URL('../src/index.ts', import.meta.url))
  const ended = promisify(execFile)(process.execPath, [program, ...(args as string[])])
  await expect(ended).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(new RegExp(`${complaint}[^]*suites: .*cost`)),
  })
})
