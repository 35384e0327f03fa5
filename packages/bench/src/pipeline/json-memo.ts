import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Measurement } from '../harness/suite.ts'
import { nodes } from './runs.ts'

/** The memo that many scripts have: the SHA-256 of the JSON of the arguments is the name of a file with the JSON of the result. */
async function memo(folder: string, name: string, input: unknown, compute: () => unknown): Promise<unknown> {
  const key = createHash('sha256')
    .update(JSON.stringify([name, input]))
    .digest('hex')
  const file = join(folder, `${key}.json`)
  const stored = await readFile(file, 'utf8').catch(() => undefined)
  if (stored !== undefined) return JSON.parse(stored)
  const value = compute()
  await writeFile(file, JSON.stringify(value))
  return value
}

export async function measureJsonMemo(folder: string, quick: boolean): Promise<Measurement> {
  const run = async (): Promise<unknown> => {
    let value: unknown = 0
    for (let index = 0; index < nodes; index += 1) {
      const before = value
      value = await memo(folder, `n${index}`, before, () => Number(before) + 1)
    }
    return value
  }
  await run()
  const times: number[] = []
  let right = 0
  for (let round = 0; round < (quick ? 3 : 10); round += 1) {
    const started = performance.now()
    if ((await run()) === nodes) right += 1
    times.push(performance.now() - started)
  }
  return { value: (Math.min(...times) * 1000) / nodes, work: right }
}
