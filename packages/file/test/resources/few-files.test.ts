import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { temporaryDirectory } from '../temporary-directory.ts'

it('a process that may open few files stores and reads any number of value files at once', async () => {
  const dir = await temporaryDirectory()
  const script = new URL('./few-files.ts', import.meta.url).pathname
  // Node needs about 30 files itself.
  const { stdout } = await promisify(execFile)('sh', [
    '-c',
    'ulimit -n 64; exec "$@"',
    'sh',
    process.execPath,
    script,
    dir,
  ])
  expect(JSON.parse(stdout)).toEqual({
    single: 600,
    many: 600,
    streamed: 200,
    problems: [],
    codes: [],
    few: true,
  })
}, 120_000)
