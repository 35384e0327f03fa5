import { expect, it } from 'vitest'
import { FileBackend } from '../../src/index.ts'
import { valueFiles, withIndex } from '../conformance/file-harness.ts'
import { createRandom, seedOf } from '../random.ts'
import { temporaryDirectory } from '../temporary-directory.ts'
import { crashRound, Journal } from './crash-round.ts'
import type { Written } from './written.ts'

const writers = 4
/** The rounds kill more than two hundred processes. More rounds find rarer faults. */
const rounds = Number(process.env.CRASH_ROUNDS ?? 52)

async function verify(dir: string, journal: Journal): Promise<readonly string[]> {
  const backend = new FileBackend({ dir })
  const complaints: string[] = []
  backend.listen((event) => complaints.push(`event ${JSON.stringify(event)}`))
  for (const key of journal.keys) {
    const found = (await backend.get(key))?.value as Written | undefined
    const complaint = journal.complaint(key, found && { step: found.step, length: found.text.length })
    if (complaint !== undefined) complaints.push(complaint)
    const letter = found?.text[0]
    if (found !== undefined && letter !== undefined && found.text !== letter.repeat(found.text.length)) {
      complaints.push(`${key} is torn`)
    }
  }
  const counted = ((await backend.get('counter'))?.value ?? 0) as number
  const { begun, acknowledged } = journal.increments
  if (counted < acknowledged || counted > begun) {
    complaints.push(`the counter is ${counted}, acknowledged ${acknowledged}, begun ${begun}`)
  }
  // The unfinished writes are decided now.
  journal.increments = { begun: counted, acknowledged: counted }
  await backend.close()
  return [...complaints, ...(await verifyIndex(dir))]
}

async function verifyIndex(dir: string): Promise<readonly string[]> {
  const files = new Set((await valueFiles(dir)).map((path) => path.slice(-32)))
  return withIndex(dir, (database) => {
    const [check] = database.prepare('pragma integrity_check').all() as { integrity_check: string }[]
    const total = database.prepare('select entries, live, bytes, trash from total').get()
    const counted = database
      .prepare(
        `select count(*) as entries, coalesce(sum(kind > 0), 0) as live, coalesce(sum(bytes), 0) as bytes,
         (select count(*) from trash) as trash from item`,
      )
      .get()
    const named = database.prepare('select file from item where file is not null').all() as { file: string }[]
    const complaints = named.filter(({ file }) => !files.has(file)).map(({ file }) => `${file} is missing`)
    if (check?.integrity_check !== 'ok') complaints.push(String(check?.integrity_check))
    if (JSON.stringify(total) !== JSON.stringify(counted)) {
      complaints.push(`counted ${JSON.stringify(counted)}, the triggers ${JSON.stringify(total)}`)
    }
    return complaints
  })
}

async function crash(durability: 'normal' | 'full', times: number): Promise<void> {
  const seed = seedOf('CRASH_SEED')
  const random = createRandom(seed)
  const dir = await temporaryDirectory()
  const journal = new Journal()
  for (let round = 0; round < times; round += 1) {
    await crashRound(dir, journal, random, writers, durability)
    expect(await verify(dir, journal), `round ${round}; repeat with CRASH_SEED=${seed}`).toEqual([])
  }
  expect(journal.keys.length).toBeGreaterThan(0)
}

it(
  'four writers killed at random moments lose no acknowledged write and tear no value',
  () => crash('normal', rounds),
  600_000,
)

it('killed writers with full durability lose no acknowledged write', () => crash('full', 4), 600_000)
