import { cacheOptionNames } from '../cache/options/cache-options.ts'

/** The members of `BackendConfig`. */
export const backendFields: readonly string[] = [
  'url',
  'provider',
  'prefix',
  'maxEntries',
  'maxBytes',
  'policy',
  'serialization',
  'compression',
  'memory',
  'file',
  'redis',
  'postgres',
  'options',
  'layers',
  'near',
  'bus',
  'layered',
  'fallback',
  'failover',
]

/** The members that are options of one backend package or composite backend. */
export const sectionFields: readonly string[] = [
  'memory',
  'file',
  'redis',
  'postgres',
  'options',
  'layered',
  'failover',
]

/** The members of `CacheConfig` that are options of `Cache`. */
export const cacheFields: readonly string[] = cacheOptionNames.filter((name) => name !== 'backend')

/** Fields whose text in a query is a number. */
export const numberFields: readonly string[] = ['maxEntries', 'maxBytes', 'refreshAhead', 'earlyExpiry', 'jitter']

/** Fields whose text in a query is `true` or `false`. */
export const flagFields: readonly string[] = ['lock', 'bus']

/** Fields that a query cannot have: functions, objects, and those that the URL replaces. */
export const objectFields: readonly string[] = [
  'url',
  'provider',
  'layers',
  'transformKey',
  'logger',
  'clock',
  'random',
  'waitUntil',
  'writer',
  'writeMode',
  'writeBehind',
]
