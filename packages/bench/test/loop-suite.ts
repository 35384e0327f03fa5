import { measureAsync, measureSync } from '../src/harness/measure.ts'
import type { Row, Suite } from '../src/harness/suite.ts'

const loop = { operations: 1000, batches: 3, milliseconds: 20 }
const row = (name: string): Row => ({ name, unit: 'ns/op', better: 'lower', work: 1000 })

/** A suite for the tests of the harness: honest candidates, and one of each kind that has to be caught. */
export const suite: Suite = {
  name: 'loop',
  says: 'for the tests of the harness',
  baseline: 'sync',
  rows: [row('count'), { ...row('other'), work: (work) => (work === 1000 ? undefined : `counted ${work}`) }],
  timeLimit: 60_000,
  open: async () => ({ shared: { step: 1 } }),
  candidates: [
    { name: 'sync', measure: (_, { shared }) => measureSync(() => (shared as { step: number }).step, loop) },
    { name: 'async', rows: ['count'], measure: () => measureAsync(async () => 1, Number, loop) },
    { name: 'idle', measure: () => ({ value: 1, work: 0 }) },
    { name: 'uneven', rows: ['count'], measure: () => measureSync(() => Math.random(), loop) },
    { name: 'throwing', rows: ['count'], measure: () => Promise.reject(new Error('no server')) },
    { name: 'dying', rows: ['count'], measure: () => process.exit(3) },
    { name: 'hanging', rows: ['count'], measure: () => new Promise(() => setInterval(() => {}, 1000)) },
    { name: 'not a number', rows: ['count'], measure: () => ({ value: Number.NaN, work: 1000 }) },
  ],
}
