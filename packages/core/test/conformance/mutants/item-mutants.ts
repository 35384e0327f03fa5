import type { Item } from '../../../src/index.ts'
import { altering, alteringReads, type Mutant, mutant, stores } from './mutant.ts'

type Deep = (value: unknown) => unknown

/** Applies a change to a value and, one after the other, to the values in it. */
function deep(change: Deep): Deep {
  const visit: Deep = (value) => {
    const changed = change(value)
    if (changed !== value) return changed
    if (Array.isArray(value)) return isPlainArray(value) ? value.map(visit) : value
    if (!isPlain(value)) return value
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, visit(one)]))
  }
  return (value) => (isCyclic(value) ? value : visit(value))
}

function isPlain(value: unknown): value is object {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.getOwnPropertySymbols(value).length === 0 &&
    !Object.hasOwn(value, '__proto__')
  )
}

function isPlainArray(value: unknown[]): boolean {
  return Object.getPrototypeOf(value) === Array.prototype && Object.keys(value).length === value.length
}

function isCyclic(value: unknown): boolean {
  try {
    JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? 0 : one))
    return false
  } catch {
    return true
  }
}

const values: Readonly<Record<string, Deep>> = {
  'makes texts of dates': deep((value) => (value instanceof Date ? value.toISOString() : value)),
  'moves dates before 1970 to 1970': deep((value) =>
    value instanceof Date && value.getTime() < 0 ? new Date(0) : value,
  ),
  'cuts dates to seconds': deep((value) =>
    value instanceof Date ? new Date(Math.trunc(value.getTime() / 1000) * 1000) : value,
  ),
  'makes objects of maps': deep((value) => (value instanceof Map ? Object.fromEntries(value) : value)),
  'makes arrays of sets': deep((value) => (value instanceof Set ? [...value] : value)),
  'makes a Buffer of bytes': deep((value) =>
    value?.constructor === Uint8Array ? Buffer.from(value as Uint8Array) : value,
  ),
  'returns the whole buffer of a view': deep((value) =>
    value?.constructor === Uint8Array ? new Uint8Array((value as Uint8Array).buffer) : value,
  ),
  'makes zero of minus zero': deep((value) => (Object.is(value, -0) ? 0 : value)),
  'makes null of NaN': deep((value) => (Number.isNaN(value) ? null : value)),
  'makes null of undefined in lists': (value) =>
    Array.isArray(value) && value.includes(undefined) && isPlainArray(value) ? value.map((one) => one ?? null) : value,
  'drops members that are undefined': deep((value) =>
    isPlain(value) && Object.values(value).includes(undefined)
      ? Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined))
      : value,
  ),
  'makes numbers of bigints': deep((value) => (typeof value === 'bigint' && value < 100n ? Number(value) : value)),
  'revives texts that look like dates': deep((value) =>
    typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) ? new Date(value) : value,
  ),
  'revives bytes from their JSON': deep((value) =>
    isPlain(value) && Reflect.get(value, 'type') === 'Buffer' ? new Uint8Array(Reflect.get(value, 'data')) : value,
  ),
  'trims texts': deep((value) => (typeof value === 'string' ? value.trim() : value)),
  'composes texts': deep((value) => (typeof value === 'string' ? value.normalize('NFC') : value)),
  'replaces lone surrogates': deep((value) => (typeof value === 'string' ? Buffer.from(value).toString() : value)),
  'takes NUL out of texts': deep((value) => (typeof value === 'string' ? value.replaceAll('\0', '') : value)),
  'makes numbers of texts': (value) => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value),
  'cuts texts at 64 KB': (value) => (typeof value === 'string' ? value.slice(0, 65_536) : value),
  'cuts texts at one megabyte': (value) => (typeof value === 'string' ? value.slice(0, 1_048_576) : value),
  'cuts bytes at half a megabyte': (value) =>
    value?.constructor === Uint8Array ? (value as Uint8Array).slice(0, 524_288) : value,
  'cuts lists at a thousand': (value) => (Array.isArray(value) && value.length > 1000 ? value.slice(0, 1000) : value),
  'rounds numbers to 32 bits': (value) =>
    Number.isSafeInteger(value) && Math.abs(value as number) > 2 ** 40 ? (value as number) | 0 : value,
  'rounds fractions to single precision': (value) =>
    typeof value === 'number' && !Number.isInteger(value) ? Math.fround(value) : value,
  'drops functions in objects': (value) =>
    isPlain(value) ? Object.fromEntries(Object.entries(value).filter(([, one]) => typeof one !== 'function')) : value,
  'drops functions in lists': (value) =>
    Array.isArray(value) && isPlainArray(value) ? value.filter((one) => typeof one !== 'function') : value,
  'drops symbols': (value) =>
    isPlain(value) ? Object.fromEntries(Object.entries(value).filter(([, one]) => typeof one !== 'symbol')) : value,
  'takes an instance for its members': (value) =>
    value?.constructor?.name === 'Point' ? { ...(value as object) } : value,
  'takes an object without a prototype for a plain one': (value) =>
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null ? { ...value } : value,
  'makes an object of a regular expression': (value) => (value instanceof RegExp ? {} : value),
  'fills holes': (value) =>
    Array.isArray(value) && !isPlainArray(value) && Object.keys(value).every((name) => /^\d+$/.test(name))
      ? Array.from(value)
      : value,
  'drops a member named __proto__': (value) =>
    typeof value === 'object' && value !== null && Object.hasOwn(value, '__proto__') ? { b: 1 } : value,
  'drops a member named by a symbol': (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.getOwnPropertySymbols(value).length > 0
      ? { a: 1 }
      : value,
  'makes null of an empty text': (value) => (value === '' ? null : value),
  'stores what a cycle holds without the cycle': (value) =>
    isCyclic(value) && isPlain(value) ? { ...value, self: null } : value,
}

const seconds = (item: Item, round: (n: number) => number): Item =>
  item.expiresAt === undefined ? item : { ...item, expiresAt: round(item.expiresAt / 1000) * 1000 }

const items: Readonly<Record<string, (item: Item, now: number) => Item>> = {
  'rounds deadlines up to seconds': (item) => seconds(item, Math.ceil),
  'rounds deadlines down to seconds': (item) => seconds(item, Math.floor),
  'rounds deadlines to the nearest second': (item) => seconds(item, Math.round),
  'adds a millisecond to deadlines': (item) =>
    item.expiresAt === undefined ? item : { ...item, expiresAt: item.expiresAt + 1 },
  'limits lifetimes to 2^31 ms': (item, now) =>
    item.expiresAt === undefined ? item : { ...item, expiresAt: Math.min(item.expiresAt, now + 2 ** 31 - 1) },
  'wraps lifetimes at 32 bits': (item, now) =>
    item.expiresAt === undefined ? item : { ...item, expiresAt: now + ((item.expiresAt - now) | 0) },
  'drops deadlines beyond a month': (item, now) => {
    const { expiresAt, ...rest } = item
    return expiresAt !== undefined && expiresAt - now > 31 * 86_400_000 ? rest : item
  },
  'rounds lifetimes up to seconds': (item, now) =>
    item.expiresAt === undefined || item.expiresAt <= now
      ? item
      : { ...item, expiresAt: now + Math.ceil((item.expiresAt - now) / 1000) * 1000 },
  'counts lifetimes from createdAt': (item, now) =>
    item.expiresAt === undefined ? item : { ...item, expiresAt: item.createdAt + item.expiresAt - now },
  'replaces a createdAt in the past': (item, now) => (item.createdAt < now - 1000 ? { ...item, createdAt: now } : item),
  'replaces a createdAt in the future': (item, now) => (item.createdAt > now ? { ...item, createdAt: now } : item),
  'forgets staleAt': ({ staleAt: _, ...rest }) => rest,
  'forgets the cost': ({ cost: _, ...rest }) => rest,
  'expires an item when it is stale': (item, now) =>
    item.staleAt !== undefined && item.staleAt > now ? { ...item, expiresAt: item.staleAt } : item,
  'joins tags with commas': (item) => ({
    ...item,
    ...(item.tags && {
      tags: Object.fromEntries(
        Object.entries(item.tags)
          .map((pair) => pair.join('\n'))
          .join(',')
          .split(',')
          .map((pair) => pair.split('\n')),
      ),
    }),
  }),
  'splits tags at equals signs': (item) => ({
    ...item,
    ...(item.tags && { tags: Object.fromEntries(Object.entries(item.tags).map((pair) => pair.join('=').split('='))) }),
  }),
  'keeps a hundred tags': (item) => ({
    ...item,
    ...(item.tags && { tags: Object.fromEntries(Object.entries(item.tags).slice(0, 100)) }),
  }),
  'drops the tag without a name': (item) => ({
    ...item,
    ...(item.tags && { tags: Object.fromEntries(Object.entries(item.tags).filter(([name]) => name !== '')) }),
  }),
  'folds the case of tags': (item) => ({
    ...item,
    ...(item.tags && {
      tags: Object.fromEntries(Object.entries(item.tags).map(([name, version]) => [name.toLowerCase(), version])),
    }),
  }),
  'loses a tag named __proto__': (item) => ({
    ...item,
    ...(item.tags && {
      tags: {
        ...Object.assign(
          {},
          ...Object.entries(item.tags)
            .filter(([name]) => name !== '__proto__')
            .map(([name, version]) => ({ [name]: version })),
        ),
      },
    }),
  }),
  'takes placeholders for null': (item) => (item.value === undefined ? { ...item, value: null } : item),
}

/** A wrong value or member of an item, for each call that stores or returns it. */
export function itemMutants(): Mutant[] {
  const mutants: Mutant[] = []
  for (const [does, change] of Object.entries(values)) {
    const alter = (item: Item): Item => (item.value === undefined ? item : { ...item, value: change(item.value) })
    for (const method of stores) mutants.push(mutant('values', `${does} in ${method}`, altering(method, alter)))
    for (const method of ['get', 'getMany'] as const) {
      if (/functions|symbol|regular|instance|cycle|prototype|holes|__proto__/.test(does)) continue
      mutants.push(mutant('values', `${does} in ${method}`, alteringReads(method, alter)))
    }
  }
  for (const [does, change] of Object.entries(items)) {
    for (const method of stores) {
      const alter = altering(method, (item, backend) => change(item, backend.options.clock.now()))
      mutants.push(mutant('items', `${does} in ${method}`, alter))
    }
  }
  return mutants
}
