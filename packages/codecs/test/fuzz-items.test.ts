import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const program = fileURLToPath(new URL('./fuzz-items.ts', import.meta.url))

test.for([1, 2])(
  'changed, truncated and lengthened items are damaged or items, and never end the process (seed %i)',
  { timeout: 60_000 },
  async (seed) => {
    const { stdout } = await promisify(execFile)(process.execPath, [program, String(seed)])
    const counts = JSON.parse(stdout) as { exact: number; other: number; damaged: number }
    // 24 formats with 24 items each, every item at 4 addresses and changed 60 times.
    expect(counts.exact, stdout).toBe(24 * 24 * 4)
    expect(counts.other + counts.damaged, stdout).toBe(24 * 24 * 60)
    // Both occurred often, so the bytes reached the codecs and were not all alike.
    expect(counts.damaged, stdout).toBeGreaterThan(10_000)
    expect(counts.other, stdout).toBeGreaterThan(500)
  },
)
