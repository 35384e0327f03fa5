import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { suite } from '../src/cost/suite.ts'
import { workOfHits } from '../src/cost/workload.ts'
import { candidatesOf } from '../src/harness/parts.ts'
import type { ResultRow } from '../src/harness/suite.ts'

const context = { quick: true, args: [], shared: undefined }
const pairs = candidatesOf(suite, context).flatMap((candidate) =>
  (candidate.rows ?? []).map((row) => [candidate.name, row, candidate] as const),
)

test.for(pairs)('%s hits with every call in the row "%s"', { timeout: 60_000 }, async ([, row, candidate]) => {
  const { work, value } = await candidate.measure(row, context)
  expect(work).toBe(workOfHits)
  expect(value).toBeGreaterThan(0)
})

test('the command writes the rows of a suite as JSON', { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'))
  try {
    const program = fileURLToPath(new URL('../src/index.ts', import.meta.url))
    const file = join(folder, 'rows.json')
    const args = [
      program,
      'cost',
      '--quick',
      '--repetitions',
      '1',
      '--row',
      'get',
      '--candidate',
      '@cache',
      '--json',
      file,
    ]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    expect(stdout).toContain('get  (lower is better; ratio to lru-cache)')
    expect(stdout).toContain('lru-cache 11.')
    const rows = JSON.parse(await readFile(file, 'utf8')) as ResultRow[]
    expect(rows.map(({ candidate }) => candidate)).toEqual(['lru-cache', '@cache'])
    const [base, ours] = rows as [ResultRow, ResultRow]
    expect(ours).toEqual({
      suite: 'cost',
      row: 'get',
      candidate: '@cache',
      unit: 'ns/op',
      value: ours.value,
      spread: 0,
      baseline: 'lru-cache',
      ratio: ours.value / base.value,
    })
  } finally {
    await rm(folder, { recursive: true })
  }
})
