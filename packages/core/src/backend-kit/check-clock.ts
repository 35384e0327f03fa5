import { withMethods } from '../protocol/argument.ts'
import { type Clock, systemClock } from '../protocol/clock.ts'

/** Returns the clock of an option, or the machine's clock when the option is absent. Throws `INVALID_ARGUMENT`. */
export function checkClock(given: Clock | undefined, method: string): Clock {
  return given === undefined ? systemClock : withMethods(given, ['now'], 'clock', 'a clock', method)
}
