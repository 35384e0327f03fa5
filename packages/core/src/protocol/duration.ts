import { invalidArgument } from './argument.ts'

/**
 * A length of time: milliseconds as a number, or a whole or decimal number with a unit, such as `'500ms'`, `'30s'`, `'10m'`,
 * `'2h'`, `'7d'`. Fractions of a millisecond are rounded up. `Infinity` means "never", where an option allows it.
 */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const pattern = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/
/** 282,000 years. Every instant stays an exact number, and a wrong unit causes an error. */
export const longestDuration: number = 9e15 - 1e14
const allowed =
  "milliseconds as a number of 0 or more, or a string such as '500ms', '30s', '10m', '2h', '7d', no more than 8.9e15 ms"

/** Milliseconds of a duration. Throws `INVALID_ARGUMENT` for negative, `NaN`, or unreadable input. */
export function milliseconds(duration: Duration, name: string, operation?: string): number {
  const ms = typeof duration === 'string' ? parse(duration) : duration
  if (typeof ms !== 'number' || !(ms >= 0) || (ms > longestDuration && duration !== Infinity)) {
    throw invalidArgument(name, duration, allowed, operation)
  }
  return Math.ceil(ms)
}

/** Milliseconds of a duration, rounded up. Throws `INVALID_ARGUMENT` for negative, `NaN`, or unreadable input. */
export function parseDuration(duration: Duration): number {
  return milliseconds(duration, 'duration', 'parseDuration')
}

/** The longest delay of one timer of Node, in milliseconds; a longer one would fire at once. */
const longestDelay = 2 ** 31 - 1

/** Milliseconds of a duration that one timer can wait, `least` or more. Throws `INVALID_ARGUMENT`. */
export function timerDelay(duration: Duration, name: string, operation: string, least = 1): number {
  const ms = milliseconds(duration, name, operation)
  if (ms < least || ms > longestDelay) {
    throw invalidArgument(name, duration, `between ${least} ms and ${longestDelay} ms (24 days)`, operation)
  }
  return ms
}

function parse(text: string): number {
  const match = pattern.exec(text)
  if (match === null) return Number.NaN
  return Number(match[1]) * units[match[2] as keyof typeof units]
}
