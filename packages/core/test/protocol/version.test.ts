import { expect, it, onTestFinished, vi } from 'vitest'

it('the first version draws random bytes, and the import draws none', async () => {
  const draw = vi.spyOn(globalThis.crypto, 'getRandomValues')
  onTestFinished(() => draw.mockRestore())
  vi.resetModules()
  const { createVersion } = await import('../../src/protocol/version.ts')
  expect(draw).not.toHaveBeenCalled()
  const first = createVersion()
  expect(draw).toHaveBeenCalledTimes(1)
  const second = createVersion()
  expect(draw).toHaveBeenCalledTimes(1)
  expect(first).toMatch(/^[A-Za-z0-9_-]{10}1$/)
  expect(second).toBe(`${first.slice(0, 10)}2`)
})

it('two processes draw different random parts', async () => {
  const parts = new Set<string>()
  for (let process = 0; process < 100; process += 1) {
    vi.resetModules()
    const { createVersion } = await import('../../src/protocol/version.ts')
    parts.add(createVersion().slice(0, 10))
  }
  expect(parts.size).toBe(100)
})
