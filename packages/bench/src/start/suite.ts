import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Candidate, CandidateContext, Measurement, ResultRow, Row, Suite } from '../harness/suite.ts'
import { gzipSize } from './gzip-size.ts'
import { publishedPackages } from './published-packages.ts'

const memoryImport = 'import of core and memory'
const redisImport = 'import of core, memory, redis and layered'
const mapSize = 'gzip of BoundedMap with one policy'
const memorySize = 'gzip of Cache and memory'
const redisSize = 'gzip of Cache and redis without ioredis'

/** The programs of each row. */
const programs: Readonly<Record<string, string>> = {
  [memoryImport]: `export { Cache } from '@cache/core'\nexport { MemoryBackend } from '@cache/memory'\n`,
  [redisImport]: `export { Cache } from '@cache/core'
export { LayeredBackend } from '@cache/layered'
export { MemoryBackend } from '@cache/memory'
export { RedisBackend } from '@cache/redis'
`,
  [mapSize]: `export { BoundedMap } from '@cache/memory'\n`,
  [memorySize]: `export { Cache } from '@cache/core'\nexport { MemoryBackend } from '@cache/memory'\n`,
  [redisSize]: `export { Cache } from '@cache/core'\nexport { RedisBackend } from '@cache/redis'\n`,
}

const works = (work: number): string | undefined => (work > 0 ? undefined : 'nothing was exported')
const rows: readonly Row[] = [
  { name: memoryImport, unit: 'ms', better: 'lower', work: works, baseline: 'lru-cache' },
  { name: redisImport, unit: 'ms', better: 'lower', work: works, baseline: 'ioredis' },
  ...[mapSize, memorySize, redisSize].map(
    (name): Row => ({ name, unit: 'kB', better: 'lower', work: works, baseline: '@cache' }),
  ),
]

function folderOf({ shared }: CandidateContext): string {
  if (typeof shared !== 'string') throw new Error('the suite passed no folder')
  return shared
}

/** Milliseconds until a program is loaded, in this new process. */
async function importTime(context: CandidateContext, program: string): Promise<Measurement> {
  const file = join(folderOf(context), `import-${process.pid}.mjs`)
  await writeFile(file, program)
  const started = performance.now()
  const loaded: object = await import(pathToFileURL(file).href)
  const value = performance.now() - started
  return { value, work: Object.keys(loaded).length }
}

const ours: Candidate = {
  name: '@cache',
  async measure(row, context) {
    const program = programs[row] ?? ''
    if (row === memoryImport || row === redisImport) return await importTime(context, program)
    return { value: await gzipSize(folderOf(context), `size-${process.pid}`, program), work: 1 }
  },
}

function peer(name: string, row: string, program: string): Candidate {
  return { name, packages: [name], rows: [row], measure: (_row, context) => importTime(context, program) }
}

/** The most that ours may have: a figure, or the times of the baseline. */
const goals: Readonly<Record<string, { readonly value: number } | { readonly times: number }>> = {
  [memoryImport]: { value: 8 },
  [redisImport]: { times: 1.3 },
  [mapSize]: { value: 9 },
  [memorySize]: { value: 26 },
  [redisSize]: { value: 45 },
}

/** One line for each goal: whether it was met. */
export function conclude(results: readonly ResultRow[]): string[] {
  return results.flatMap(({ row, candidate, value, ratio, unit, baseline }) => {
    const goal = goals[row]
    if (candidate !== ours.name || goal === undefined) return []
    const [measured, most] = 'value' in goal ? [value, goal.value] : [ratio, goal.times]
    const of = 'value' in goal ? unit : `times ${baseline}`
    return [`goal ${measured <= most ? 'met' : 'MISSED'}: ${row} ${measured.toFixed(2)} ${of}, at most ${most}`]
  })
}

export const suite: Suite = {
  name: 'start',
  says: 'the time until the published packages are loaded, each in a new process, and the size of applications that contain them.',
  baseline: '@cache',
  rows,
  candidates: [
    ours,
    peer('lru-cache', memoryImport, `export { LRUCache } from 'lru-cache'\n`),
    peer('bentocache', memoryImport, `export * from 'bentocache'\n`),
    peer('ioredis', redisImport, `export { Redis } from 'ioredis'\n`),
  ],
  async open() {
    const { folder, remove } = await publishedPackages()
    return { shared: folder, close: remove }
  },
  conclude,
}
