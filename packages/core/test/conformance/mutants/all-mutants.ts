import { createRandom } from '../../../src/conformance/samples/random.ts'
import { callMutants } from './call-mutants.ts'
import { itemMutants } from './item-mutants.ts'
import { keyMutants } from './key-mutants.ts'
import type { Mutant } from './mutant.ts'
import { storeMutants } from './store-mutants.ts'

/** Every mutant, in two halves that the seed chooses: one to look at, and one that is only counted. */
export function allMutants(seed: number): { readonly seen: Mutant[]; readonly heldOut: Mutant[] } {
  const random = createRandom(seed)
  const halves: { seen: Mutant[]; heldOut: Mutant[] } = { seen: [], heldOut: [] }
  for (const one of [...itemMutants(), ...keyMutants(), ...callMutants(), ...storeMutants()]) {
    halves[random.below(2) === 0 ? 'seen' : 'heldOut'].push(one)
  }
  return halves
}
