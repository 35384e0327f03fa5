import { describe, expect, it } from 'vitest'
import { type Circumstances, type Decision, decide, decisionTable } from '../../src/cache/loading/decide.ts'

/** A leader whose look-up found nothing and whose load runs. */
const usual: Circumstances = {
  found: 'none',
  phase: 'loading',
  validity: 'valid',
  joined: false,
  forceRefresh: false,
  patience: 'whole',
}

/** One example for each row of the table, in the order of the rows. */
const examples: readonly (readonly [title: string, Partial<Circumstances>, Decision])[] = [
  ['a fresh value is a hit', { found: 'fresh' }, 'hit'],
  [
    'a fresh value is a hit for a forced refresh without a load',
    { found: 'fresh', phase: 'looking', forceRefresh: true },
    'hit',
  ],
  ['a stale value is served where no load runs', { found: 'stale', phase: 'looking' }, 'stale'],
  ['nothing is a miss where no load runs', { phase: 'looking' }, 'miss'],
  [
    'a joined caller looks again after a tag invalidation',
    { joined: true, validity: 'recheck' },
    'wait, then look again',
  ],
  [
    'a joined caller looks again while the result is being stored',
    { joined: true, phase: 'storing' },
    'wait, then look again',
  ],
  ['a caller without a value waits for the load', {}, 'wait'],
  [
    'a joined forced refresh looks again after a tag invalidation',
    { found: 'stale', joined: true, forceRefresh: true, validity: 'recheck', patience: 'none' },
    'wait, then look again',
  ],
  [
    'a joined forced refresh looks again while the result is being stored',
    { found: 'fresh', joined: true, forceRefresh: true, phase: 'storing' },
    'wait, then look again',
  ],
  ['a caller without patience gets the stale value', { found: 'stale', patience: 'none' }, 'stale'],
  [
    'a joined caller with a stale value looks again after a tag invalidation',
    { found: 'stale', joined: true, validity: 'recheck', patience: 'soft' },
    'wait, then look again',
  ],
  ['a caller with a stale value gives the load some time', { found: 'stale', patience: 'soft' }, 'wait'],
]

describe('decide', () => {
  for (const [index, [title, circumstances, decision]] of examples.entries()) {
    it(`row ${index + 1}: ${title}`, () => {
      expect(decide({ ...usual, ...circumstances })).toBe(decision)
      // The example belongs to this row and to no row before it.
      expect(decisionTable.findIndex((row) => matches(row, { ...usual, ...circumstances }))).toBe(index)
    })
  }

  it('the table has one example for every row', () => {
    expect(examples.length).toBe(decisionTable.length)
  })

  it('the rules hold in all combinations of circumstances', () => {
    for (const circumstances of allCircumstances()) {
      const { found, phase, validity, joined, forceRefresh } = circumstances
      const decision = decide(circumstances)
      const where = JSON.stringify(circumstances)
      if (found === 'fresh' && !forceRefresh) expect(decision, where).toBe('hit')
      if (found === 'none') expect(['hit', 'stale'], where).not.toContain(decision)
      if (found !== 'none') expect(decision, where).not.toBe('miss')
      if (phase === 'looking') expect(['hit', 'stale', 'miss'], where).toContain(decision)
      if (!joined) expect(decision, where).not.toBe('wait, then look again')
      if (joined && found === 'none' && (validity === 'recheck' || phase === 'storing') && phase !== 'looking')
        expect(decision, where).toBe('wait, then look again')
    }
  })
})

function matches(row: (typeof decisionTable)[number], circumstances: Circumstances): boolean {
  return (Object.keys(circumstances) as (keyof Circumstances)[]).every((name) => {
    const allowed = row[name] as readonly unknown[] | undefined
    return allowed === undefined || allowed.includes(circumstances[name])
  })
}

function* allCircumstances(): Generator<Circumstances> {
  for (const found of ['fresh', 'stale', 'none'] as const)
    for (const phase of ['looking', 'loading', 'storing', 'writing', 'abandoned'] as const)
      for (const validity of ['valid', 'recheck', 'discarded'] as const)
        for (const joined of [false, true])
          for (const forceRefresh of [false, true])
            for (const patience of ['none', 'soft', 'whole'] as const)
              yield { found, phase, validity, joined, forceRefresh, patience }
}
