import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { BytesBackend } from '../bytes-backend.ts'
import { type Change, type Full, type Mutant, mutant } from './mutant.ts'

const fold = (text: string, step: (hash: number, code: number) => number, start: number): number => {
  let hash = start
  for (let n = 0; n < text.length; n += 1) hash = step(hash, text.charCodeAt(n))
  return hash
}

const transforms: Readonly<Record<string, (key: string) => string>> = {
  'folds the case of keys': (key) => key.toLowerCase(),
  'makes keys upper case': (key) => key.toUpperCase(),
  'trims keys': (key) => key.trim(),
  'trims the end of keys': (key) => key.trimEnd(),
  'composes keys': (key) => key.normalize('NFC'),
  'decomposes keys': (key) => key.normalize('NFD'),
  'normalizes keys to NFKC': (key) => key.normalize('NFKC'),
  'collapses spaces in keys': (key) => key.replace(/ +/g, ' '),
  'takes every space for the same': (key) => key.replace(/\s/g, ' '),
  'collapses slashes': (key) => key.replace(/\/+/g, '/'),
  'drops a slash at the end': (key) => key.replace(/(.)\/$/, '$1'),
  'decodes percent signs': (key) => key.replace(/%(2F|3A|41|20)/gi, (found) => decodeURIComponent(found)),
  'takes a plus for a space': (key) => key.replaceAll('+', ' '),
  'drops control characters': (key) =>
    Array.from(key)
      .filter((one) => one >= ' ' || one === '\n')
      .join(''),
  'ends keys at NUL': (key) => key.split('\0')[0] ?? '',
  'drops characters that are not visible': (key) => key.replace(/\u200b|\u200d|\u2060|\u00ad|\ufe0f/gu, ''),
  'replaces lone surrogates': (key) => Buffer.from(key).toString(),
  'makes one line break of two characters': (key) => key.replaceAll('\r\n', '\n'),
  'keeps one byte of each character': (key) => Buffer.from(key, 'latin1').toString('latin1'),
  'drops a query': (key) => key.split('?')[0] ?? '',
  'drops a fragment': (key) => key.split('#')[0] ?? '',
  'takes a backslash for a slash': (key) => key.replaceAll('\\', '/'),
  'takes a number for its shortest form': (key) =>
    /^-?[\d.]+$/.test(key) && key.length < 10 ? String(Number(key)) : key,
  'cuts keys at 64 characters': (key) => key.slice(0, 64),
  'cuts keys at 255 characters': (key) => key.slice(0, 255),
  'cuts keys at 1,024 characters': (key) => key.slice(0, 1024),
  'cuts keys at 5,000 characters': (key) => key.slice(0, 5000),
  'cuts keys at 20,000 characters': (key) => key.slice(0, 20_000),
  'cuts keys at 65,535 characters': (key) => key.slice(0, 65_535),
  'cuts keys at 250 bytes': (key) => Buffer.from(key).subarray(0, 250).toString(),
  'keeps the end of long keys': (key) => key.slice(-500),
  'keeps both ends of long keys': (key) => (key.length > 200 ? key.slice(0, 100) + key.slice(-100) + key.length : key),
  'hashes keys to 16 bits': (key) => createHash('md5').update(key).digest('hex').slice(0, 4),
  'hashes keys to 24 bits': (key) => createHash('sha256').update(key).digest('hex').slice(0, 6),
  'hashes keys to 32 bits of SHA-1': (key) => createHash('sha1').update(key).digest('hex').slice(0, 8),
  'hashes keys to 40 bits of MD5': (key) => createHash('md5').update(key).digest('hex').slice(0, 10),
  'hashes long keys to 32 bits of SHA-256': (key) =>
    key.length > 250 ? createHash('sha256').update(key).digest('hex').slice(0, 8) : key,
  'hashes keys like Java': (key) => String(fold(key, (hash, code) => (Math.imul(hash, 31) + code) | 0, 0)),
  'hashes keys by djb2': (key) => String(fold(key, (hash, code) => (Math.imul(hash, 33) + code) | 0, 5381)),
  'hashes keys by FNV-1a': (key) =>
    String(fold(key, (hash, code) => Math.imul(hash ^ code, 16_777_619), 0x811c9dc5 | 0)),
  'hashes keys by CRC-32': (key) => String(crc32(key)),
  'hashes long keys like Java': (key) =>
    key.length > 200 ? key.slice(0, 10) + fold(key, (hash, code) => (Math.imul(hash, 31) + code) | 0, 0) : key,
}

type At = (backend: BytesBackend, change: (key: string) => string) => void

/** Stores under the changed key in every call. The names that `keys` yields are then wrong as well. */
const everywhere: At = (backend, change) => {
  const view = backend as unknown as { at(key: string): string }
  view.at = (key) => backend.prefix + change(key)
}

const calls: Readonly<Record<string, (correct: Full, change: (key: string) => string) => Partial<Full>>> = {
  get: (correct, change) => ({ get: async (key) => renamed(await correct.get(change(key)), key) }),
  set: (correct, change) => ({ set: (item) => correct.set({ ...item, key: change(item.key) }) }),
  delete: (correct, change) => ({ delete: (key) => correct.delete(change(key)) }),
  getMany: (correct, change) => ({
    getMany: async (keys) => (await correct.getMany(keys.map(change))).map((item, n) => renamed(item, keys[n] ?? '')),
  }),
  setMany: (correct, change) => ({
    setMany: (items) => correct.setMany(items.map((item) => ({ ...item, key: change(item.key) }))),
  }),
  deleteMany: (correct, change) => ({ deleteMany: (keys) => correct.deleteMany(keys.map(change)) }),
  compareAndSet: (correct, change) => ({
    compareAndSet: (key, expected, next) =>
      correct.compareAndSet(change(key), expected, next && { ...next, key: change(key) }),
  }),
  increment: (correct, change) => ({ increment: (key, delta, end) => correct.increment(change(key), delta, end) }),
  clear: (correct, change) => ({ clear: (prefix) => correct.clear(prefix === undefined ? prefix : change(prefix)) }),
  keys: (correct, change) => ({ keys: (prefix) => correct.keys(prefix === undefined ? prefix : change(prefix)) }),
}

function renamed<One extends { readonly key: string }>(item: One | undefined, key: string): One | undefined {
  return item && { ...item, key }
}

/** A change of keys, in every call or in one. */
export function keyMutants(): Mutant[] {
  const mutants: Mutant[] = []
  for (const [does, change] of Object.entries(transforms)) {
    const all: Change = (_, backend) => {
      everywhere(backend, change)
      return {}
    }
    mutants.push(mutant('keys', `${does} in every call`, all))
    for (const [name, make] of Object.entries(calls)) {
      if (/hash|takes every|keeps one byte/.test(does) && name !== 'get' && name !== 'clear') continue
      if (/hash/.test(does)) continue
      // A prefix that is cut clears more, and one that nothing shortens is no fault.
      if (
        (name === 'clear' || name === 'keys') &&
        /5,000|20,000|65,535|1,024|number|query|fragment|both ends|one line break|NFKC|not visible/.test(does)
      )
        continue
      mutants.push(mutant('keys', `${does} in ${name}`, (correct) => make(correct, change)))
    }
  }
  return mutants
}
