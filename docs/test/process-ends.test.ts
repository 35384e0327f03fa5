import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type FoundServer, redisServer } from '@cache/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
/** Beside the packages that the code imports. */
const folder = join(import.meta.dirname, '../.ends')

let redis: FoundServer

beforeAll(async () => {
  mkdirSync(folder, { recursive: true })
  redis = await redisServer()
}, 300_000)

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await redis.stop()
})

/** What the pattern finds in the text. */
function found(text: string, pattern: RegExp): string {
  const match = pattern.exec(text)
  if (match?.[1] === undefined) throw new Error(`the root README has nothing like ${pattern}`)
  return match[1]
}

describe('the program in the root README', () => {
  it('ends by itself when cache.close() has closed the layered backend that the README gives instead', async () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8')
    const program = found(readme, /^```ts\n(import [\s\S]*?)^```$/m)
    const layered = found(readme, /`(new LayeredBackend\([^`]*\))`/)
    const memory = found(program, /backend: (new MemoryBackend\(.*?\)),/)
    const code = `
      import { LayeredBackend } from '@cache/layered'
      import { RedisBackend, RedisBus } from '@cache/redis'
      const [url, prefix] = process.argv.slice(2)
      const memory = ${memory}
      const redis = new RedisBackend({ url, prefix })
      const bus = new RedisBus({ url, channel: prefix })
      ${program.replace(memory, layered)}`
    const file = join(folder, 'layered.ts')
    writeFileSync(file, code)
    const argv = [file, redis.url, `ends:${process.pid}:`]
    // A process that hangs is killed after the time-out, and the promise rejects.
    const { stdout } = await promisify(execFile)(process.execPath, argv, { timeout: 60_000 })
    expect(stdout).toBe('user 7\n')
  }, 90_000)
})
