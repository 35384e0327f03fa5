import { invalidArgument } from '../../protocol/argument.ts'
import { canonicalText } from '../../values/canonical-text.ts'

const allowed =
  'plain data (text, numbers, dates, arrays, objects, maps, sets); for anything else give the option `key`, a function that makes the key'

const shallow = 'data that is not nested that deeply'

/**
 * A string that is the same for equal arguments and different for all others: their canonical texts. Throws `INVALID_ARGUMENT` for values
 * that cannot be compared: functions, symbols, members named by symbols, instances of classes, arrays with holes or named members, and
 * data that is nested too deeply. They need a `key` function.
 */
export function argumentKey(values: readonly unknown[], operation: string): string {
  const refuse = (part: unknown, _path: unknown, isTooDeep: boolean): Error =>
    invalidArgument('an argument of the wrapped function', part, isTooDeep ? shallow : allowed, operation)
  return values.map((value) => canonicalText(value, { refuse })).join(',')
}
