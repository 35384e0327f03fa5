import type { CodecType } from '../types/codec-type.ts'
import { membersOf } from './members-of.ts'

interface DayjsLike<Dayjs> {
  valueOf(): number
  locale(): string
  locale(name: string): Dayjs
  utcOffset(): number
}

/** What the type needs of the library. `utc` and `tz` come from its plugins. */
export interface DayjsLibrary<Dayjs> {
  (time: number): Dayjs
  isDayjs(value: unknown): boolean
  utc?(time: number): Dayjs
  tz?(time: number, zone: string): Dayjs
}

/** Members of dayjs and its plugins `utc` and `timezone`. */
interface Internals {
  readonly $u?: boolean
  readonly $offset?: number
  readonly $x?: { readonly $timezone?: string }
}

/**
 * Times of dayjs, with their locale: `dayjsType(dayjs)`. With the plugins `utc` and `timezone` also UTC, a fixed offset, or the
 * zone. A reader without the plugin gets a miss. A locale must be loaded where it is read.
 */
export function dayjsType<Dayjs extends DayjsLike<Dayjs>>(dayjs: DayjsLibrary<Dayjs>): CodecType<Dayjs> {
  return {
    name: 'dayjs',
    is: (value) => dayjs.isDayjs(value),
    encode(value) {
      const { $u, $offset, $x } = value as Dayjs & Internals
      const time = value.valueOf()
      // The time of an invalid date is NaN, which JSON does not keep.
      const data = { time: Number.isNaN(time) ? null : time, locale: value.locale() }
      if ($x?.$timezone !== undefined) return { ...data, zone: $x.$timezone }
      if ($u === true) return { ...data, zone: 'utc' }
      return $offset === undefined ? data : { ...data, offset: value.utcOffset() }
    },
    decode(data) {
      const { time, locale, zone, offset } = membersOf(data, 'dayjs')
      return open(dayjs, time === null ? Number.NaN : Number(time), zone, offset).locale(String(locale))
    },
  }
}

function open<Dayjs>(dayjs: DayjsLibrary<Dayjs>, time: number, zone: unknown, offset: unknown): Dayjs {
  if (zone === 'utc') return dayjs.utc?.(time) ?? missing('utc')
  if (typeof zone === 'string') return dayjs.tz?.(time, zone) ?? missing('timezone')
  if (typeof offset !== 'number') return dayjs(time)
  const utc = dayjs.utc?.(time) as { utcOffset(minutes: number): Dayjs } | undefined
  return utc?.utcOffset(offset) ?? missing('utc')
}

function missing(plugin: string): never {
  throw new TypeError(`a time of dayjs needs the plugin ${plugin}, which this process did not load`)
}
