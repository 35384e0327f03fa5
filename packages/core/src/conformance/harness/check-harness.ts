import { checkOptions, invalidArgument } from '../../protocol/argument.ts'
import type { Harness } from './harness.ts'

const members: readonly (keyof Harness)[] = [
  'name',
  'open',
  'openSecond',
  'openOther',
  'openMany',
  'openLimited',
  'openInjected',
  'beginTransaction',
  'reopen',
  'clock',
  'corrupt',
  'futureFormat',
  'break',
  'heal',
  'freeze',
  'thaw',
  'failureBound',
  'patience',
  'values',
  'keeps',
  'without',
  'seed',
  'dispose',
]

/**
 * Throws `INVALID_ARGUMENT` for a harness without its required members, or with a member of an unknown name: a misspelled
 * member would skip its rules without notice.
 */
export function checkHarness(harness: Harness): void {
  checkOptions(harness, members, 'conformance')
  if (typeof harness.name !== 'string' || harness.name === '') {
    throw invalidArgument('harness.name', harness.name, 'a string that is not empty', 'conformance')
  }
  if (typeof harness.open !== 'function') {
    throw invalidArgument('harness.open', harness.open, 'a function that opens a backend', 'conformance')
  }
  if (harness.values !== 'references' && harness.values !== 'copies') {
    throw invalidArgument('harness.values', harness.values, "'references' or 'copies'", 'conformance')
  }
}
