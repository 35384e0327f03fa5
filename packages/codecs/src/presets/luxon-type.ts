import type { CodecType } from '../types/codec-type.ts'
import { membersOf } from './members-of.ts'

interface DateTimeLike {
  readonly isValid: boolean
  readonly locale: string | null
  readonly numberingSystem: string | null
  readonly outputCalendar: string | null
  readonly zone: { readonly type: string; readonly name: string }
  toMillis(): number
}

/** What the type needs of the class `DateTime`. */
export interface DateTimeClass<DateTime> {
  isDateTime(value: unknown): boolean
  fromMillis(time: number, options: object): DateTime
}

/**
 * `DateTime` of luxon, with its zone and locale: `luxonType(DateTime)`. The zone of the system is stored as such: it is that of
 * the reader. Invalid times are refused.
 */
export function luxonType<DateTime extends DateTimeLike>(Class: DateTimeClass<DateTime>): CodecType<DateTime> {
  return {
    name: 'luxon DateTime',
    is: (value) => Class.isDateTime(value),
    encode(time) {
      if (!time.isValid) throw new TypeError('an invalid DateTime cannot be kept; store null')
      const { locale, numberingSystem, outputCalendar, zone } = time
      const zoneName = zone.type === 'system' ? 'system' : zone.name
      return { time: time.toMillis(), zone: zoneName, locale, numberingSystem, outputCalendar }
    },
    decode(data) {
      const { time, ...options } = membersOf(data, 'luxon DateTime')
      return Class.fromMillis(Number(time), options)
    },
  }
}
