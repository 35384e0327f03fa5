import { systemClock } from '@cache/core'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { MemoryBackend } from '../src/index.ts'

afterEach(() => {
  vi.unstubAllGlobals()
})

/** The timers that the process waits for, or that are only unreferenced. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
}

describe('a timer that began before the timers were faked', () => {
  it('is cancelled by the function of its own timers in memory', async () => {
    const backend = new MemoryBackend({ maxEntries: 10 })
    await backend.set({ key: 'k', value: 1, version: 'v', createdAt: Date.now(), expiresAt: Date.now() + 60_000 })
    const faked = vi.fn()
    vi.stubGlobal('clearTimeout', faked)
    await backend.clear()
    await backend.close()
    expect(faked).not.toHaveBeenCalled()
  })

  it('is cancelled by the function of its own timers in the clock of the machine', () => {
    const before = timers()
    const cancel = systemClock.after(60_000, () => {}, true)
    expect(timers()).toBe(before + 1)
    const faked = vi.fn()
    vi.stubGlobal('clearTimeout', faked)
    cancel()
    expect(faked).not.toHaveBeenCalled()
    expect(timers()).toBe(before)
  })
})
