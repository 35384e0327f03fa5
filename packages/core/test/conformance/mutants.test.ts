import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { allMutants } from './mutants/all-mutants.ts'
import { catchMutant } from './mutants/catch-mutant.ts'
import type { Mutant } from './mutants/mutant.ts'

const seed = 1
/** In milliseconds, for a busy machine. */
const timeout = 300_000

/** The kinds that a test can afford: the others wait for real time, or store large batches. `MUTANTS=all` runs them, too. */
const quick = ['counters', 'iterations', 'near', 'prefixes', 'races', 'restarts']

async function missed(mutants: readonly Mutant[]): Promise<Mutant[]> {
  const passed: Mutant[] = []
  for (const one of mutants) if ((await catchMutant(one)) === undefined) passed.push(one)
  return passed
}

describe('the suite and the mutants of correct backends', () => {
  const { seen, heldOut } = allMutants(seed)

  it('catches every mutant of the half that is looked at', { timeout }, async () => {
    const names = (await missed(seen.filter(({ kind }) => quick.includes(kind)))).map(({ does }) => does)
    assert.deepEqual(names, [])
  })

  it('catches 97 of 100 mutants of the half that is only counted', { timeout }, async () => {
    const mutants = heldOut.filter(({ kind }) => quick.includes(kind))
    const passed = await missed(mutants)
    assert(passed.length <= mutants.length * 0.03, `${passed.length} of ${mutants.length} mutants passed`)
  })

  it.runIf(process.env.MUTANTS === 'all')('reports both rates over all kinds', { timeout: 7_200_000 }, async () => {
    for (const [name, mutants] of Object.entries({ seen, 'held out': heldOut })) {
      const passed = await missed(mutants)
      console.log(`${name}, seed ${seed}: ${mutants.length - passed.length} of ${mutants.length} mutants caught`)
      if (name === 'seen') for (const { kind, does } of passed) console.log(`  missed ${kind}: ${does}`)
    }
  })
})
