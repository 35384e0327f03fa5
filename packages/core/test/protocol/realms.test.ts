import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { Cache, SyncCache } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'

/** A signal of another class than the global one, such as that of a polyfill. */
function foreignSignal(): AbortSignal {
  const { signal } = new AbortController()
  return {
    aborted: false,
    reason: undefined,
    addEventListener: signal.addEventListener.bind(signal),
    removeEventListener: signal.removeEventListener.bind(signal),
  } as unknown as AbortSignal
}

it('a signal of another class is accepted by getOrSet and withLock', async () => {
  const cache = new Cache({ backend: new MapBackend() })
  expect(await cache.getOrSet('k', () => 1, { signal: foreignSignal() })).toBe(1)
  expect(await cache.withLock('k', () => 2, { signal: foreignSignal() })).toBe(2)
})

it.each([[null], [{}], [{ aborted: false }], ['signal'], [() => {}]])('%s is refused as a signal', async (signal) => {
  const cache = new Cache({ backend: new MapBackend() })
  const options = { signal } as never
  await expect(cache.getOrSet('k', () => 1, options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(cache.withLock('k', () => 1, options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

it('a SyncCache refuses a backend that answers with promises of another realm', () => {
  const backend = new MapBackend()
  const later = runInNewContext('() => Promise.resolve(undefined)')
  const { sync: _, ...members } = { ...backend, name: 'later', set: later, delete: later, clear: later }
  expect(() => new SyncCache({ backend: { ...members, get: later } as never })).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  )
})
