import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Candidate, CandidateContext, Measurement, ResultRow, Row, Suite } from '../harness/suite.ts'
import { hashedValues, measureHashes } from './hashes.ts'
import { measureJsonMemo } from './json-memo.ts'
import { measureMap, measureNodes } from './runs.ts'

const warmMemory = 'warm run in memory, chain of 1,000 nodes'
const warmFile = 'warm run on files, chain of 1,000 nodes'
const map = 'map of 100,000 items on files, 1 % changed'
const hashRows = Object.keys(hashedValues)

const ours = '@cache'
const jsonMemo = 'JSON file for each node'
const ohash = 'ohash'

const ran = (least: number) => (work: number) => (work >= least ? undefined : `only ${work} results were right`)

const rows: readonly Row[] = [
  { name: warmMemory, unit: 'µs/node', better: 'lower', work: ran(1), baseline: ours },
  { name: warmFile, unit: 'µs/node', better: 'lower', work: ran(1), baseline: jsonMemo },
  { name: map, unit: 'ms', better: 'lower', work: ran(100_000), baseline: ours },
  ...hashRows.map((name): Row => ({ name, unit: 'µs/op', better: 'lower', work: ran(1), baseline: ohash })),
]

/** Runs a measurement in a folder of its own. */
async function inFolder(measure: (folder: string) => Promise<Measurement>): Promise<Measurement> {
  const folder = await mkdtemp(join(tmpdir(), 'cache-bench-pipeline-'))
  try {
    return await measure(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function measureOurs(row: string, { quick }: CandidateContext): Promise<Measurement> {
  if (row === warmMemory) return await measureNodes(undefined, quick)
  if (row === warmFile) return await inFolder((folder) => measureNodes(folder, quick))
  if (row === map) return await inFolder(measureMap)
  return await measureHashes(row, 'ours', quick)
}

const candidates: readonly Candidate[] = [
  { name: ours, measure: measureOurs },
  { name: jsonMemo, rows: [warmFile], measure: (_, { quick }) => inFolder((folder) => measureJsonMemo(folder, quick)) },
  { name: ohash, packages: ['ohash'], rows: hashRows, measure: (row, { quick }) => measureHashes(row, 'ohash', quick) },
]

/** The goals of the package. */
function conclude(results: readonly ResultRow[]): string[] {
  const oursOf = (row: string): ResultRow | undefined =>
    results.find((one) => one.row === row && one.candidate === ours)
  const goals = [
    { row: warmMemory, most: 100, value: oursOf(warmMemory)?.value },
    { row: warmFile, most: 1000, value: oursOf(warmFile)?.value },
    ...hashRows.map((row) => ({ row, most: 1, value: oursOf(row)?.ratio })),
  ]
  return goals
    .filter(({ value }) => value !== undefined)
    .map(
      ({ row, most, value = 0 }) =>
        `${row}: ${value.toFixed(2)}, goal at most ${most}: ${value <= most ? 'met' : 'missed'}`,
    )
}

export const suite: Suite = {
  name: 'pipeline',
  says: 'Runs of pipelines whose results are stored, a map with changed items, and the hashes of values beside ohash.',
  baseline: ours,
  rows,
  candidates,
  conclude,
}
