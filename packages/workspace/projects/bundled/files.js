// An application on files. Its thread has to start from the bundle: it keeps the log short and rebuilds the index.
import { existsSync, statSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBackend } from '@cache/file'
import { check } from '@cache/file/maintenance'

const item = (key, value) => ({ key, value, version: 'v', createdAt: 0 })

async function main() {
  const dir = await mkdtemp(join(tmpdir(), 'cache-bundled-files-'))
  const errors = []
  const open = (policy) => {
    const backend = new FileBackend({ dir, policy })
    backend.listen(({ error }) => errors.push(String(error)), ['error'])
    return backend
  }
  const log = async () => {
    const name = (await readdir(dir)).find((file) => file.endsWith('-wal'))
    return name === undefined ? 0 : statSync(join(dir, name)).size
  }
  const backend = open('lrs')
  const text = 'x'.repeat(20_000)
  let longest = 0
  for (let round = 0; round < 60; round += 1) {
    await Promise.all(Array.from({ length: 50 }, (_, n) => backend.set(item(`k${n}`, text + round))))
    longest = Math.max(longest, await log())
  }
  const report = await check(backend)
  await backend.close()
  const other = open('lru')
  const found = await other.get('k7')
  await other.close()
  const left = (await readdir(dir)).filter((file) => /-(?:wal|shm)$/.test(file))
  const result = { found: found?.value === text + 59, left, errors, problems: report.problems }
  // 60 MB were written. Without its thread the log would have all of them.
  if (
    longest > 30e6 ||
    !result.found ||
    left.length > 0 ||
    report.problems.length > 0 ||
    errors.length > 0 ||
    !existsSync(dir)
  )
    throw new Error(`the application on files: the log had ${longest} bytes, ${JSON.stringify(result)}`)
  await rm(dir, { recursive: true })
}

void main()
