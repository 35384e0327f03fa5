import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { pageBytes } from '../../src/index/schema.ts'
import { FileBackend } from '../../src/index.ts'
import { check } from '../../src/maintenance/index.ts'
import { JobQueue } from '../../src/queue/index.ts'
import { valueFiles } from '../conformance/file-harness.ts'
import { item } from '../items.ts'
import { createRandom, seedOf } from '../random.ts'
import { temporaryDirectory } from '../temporary-directory.ts'
import { quickStart } from './quick-start.ts'

const run = promisify(execFile)

function script(name: string): string {
  return new URL(`./${name}`, import.meta.url).pathname
}

async function start(name: string, dir: string): Promise<ChildProcess> {
  const env = await quickStart()
  return spawn(process.execPath, [script(name), dir], { stdio: ['ignore', 'pipe', 'inherit'], env })
}

/** Every line that the process writes, until it has ended. `onLine` may kill it. */
async function linesOf(child: ChildProcess, onLine: (text: string) => void): Promise<void> {
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  const ended = once(lines, 'close')
  lines.on('line', onLine)
  await exited
  await ended
}

it('consumers killed at random moments handle each message, and none again after its ack', async () => {
  const seed = seedOf('QUEUE_SEED')
  const random = createRandom(seed)
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const messages = Array.from({ length: 400 }, (_, n) => n)
  for (const n of messages) await new JobQueue(backend, 'q').push(n)
  const got: number[] = []
  const done: number[] = []
  let killed = 0
  const consume = async (): Promise<void> => {
    const last = random.below(2) + 1 + random.below(20)
    let seen = 0
    const child = await start('consumer.ts', dir)
    await linesOf(child, (text) => {
      const line = JSON.parse(text) as { got?: number; done?: number }
      if (line.done !== undefined) done.push(line.done)
      else got.push(line.got as number)
      seen += 1
      if (seen === last) {
        killed += 1
        child.kill('SIGKILL')
      }
    })
  }
  for (let round = 0; (await new JobQueue(backend, 'q').count()) > 0; round += 1) {
    expect(round, `repeat with QUEUE_SEED=${seed}`).toBeLessThan(100)
    await Promise.all([consume(), consume(), consume(), consume()])
  }
  expect(killed).toBeGreaterThan(10)
  expect([...new Set(got)].sort((a, b) => a - b)).toEqual(messages)
  expect(done.length, `repeat with QUEUE_SEED=${seed}`).toBe(new Set(done).size)
  await backend.close()
}, 600_000)

it('a process killed during a stream leaves the old value, and a file that is removed after an hour', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('stream', 'old'))
  const child = await start('stream-writer.ts', dir)
  await linesOf(child, (text) => {
    if (text === '20') child.kill('SIGKILL')
  })
  expect((await backend.get('stream'))?.value).toBe('old')
  const left = await valueFiles(dir)
  expect(left.length).toBe(1)
  expect((await check(backend, { fix: true })).problems).toEqual([])
  const hourAgo = new Date(Date.now() - 3_600_000)
  for (const path of left) await utimes(path, hourAgo, hourAgo)
  expect((await check(backend, { fix: true })).problems.map(({ kind }) => kind)).toEqual(['orphan'])
  expect(await valueFiles(dir)).toEqual([])
  await backend.close()
}, 600_000)

it('two processes and two threads that count and transfer at once are exact', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const thread = async (): Promise<void> => {
    const worker = new Worker(new URL('./counter.ts', import.meta.url), { argv: [dir, '100'], stdout: true })
    expect(await once(worker, 'exit')).toEqual([0])
  }
  const processes = [0, 1].map(() => run(process.execPath, [script('counter.ts'), dir, '100']))
  await Promise.all([...processes, thread(), thread()])
  const values = (await backend.getMany(['counter', 'from', 'to'])).map((found) => found?.value)
  expect(values).toEqual([400, -400, 400])
  expect((await check(backend)).problems).toEqual([])
  await backend.close()
}, 600_000)

it('rescues killed at random moments leave the damaged index to the next rescue and leave no other file', async () => {
  const seed = seedOf('RESCUE_SEED')
  const random = createRandom(seed)
  const dir = await temporaryDirectory()
  const filling = new FileBackend({ dir })
  const keys = Array.from({ length: 5000 }, (_, n) => `key ${n}`)
  await filling.setMany(keys.map((key) => item(key, key.repeat(20))))
  await filling.close()
  const name = (await readFile(join(dir, 'current'), 'utf8')).trim()
  const bytes = await readFile(join(dir, name))
  bytes.fill(0xee, 20 * pageBytes, 22 * pageBytes)
  await writeFile(join(dir, name), bytes)
  const env = await quickStart()
  const indexes = async (): Promise<string[]> =>
    (await readdir(dir)).filter((entry) => /^index-.*\.sqlite$/.test(entry))
  let killed = 0
  for (let round = 0; round < 4; round += 1) {
    const before = (await indexes()).length
    const child = spawn(process.execPath, [script('repair.ts'), dir], { stdio: 'ignore', env })
    const exited = once(child, 'exit')
    let running = true
    void exited.then(() => {
      running = false
    })
    while (running && (await indexes()).length === before);
    for (let more = random.below(40); more > 0 && running; more -= 1) await indexes()
    if (child.kill('SIGKILL')) killed += 1
    await exited
  }
  const backend = new FileBackend({ dir })
  const found = (await backend.getMany(keys)).map((one) => one?.value)
  const wrong = found.filter((value, n) => value !== undefined && value !== (keys[n] as string).repeat(20))
  expect(wrong, `repeat with RESCUE_SEED=${seed}`).toEqual([])
  expect(found.filter(Boolean).length, `repeat with RESCUE_SEED=${seed}`).toBeGreaterThan(4900)
  expect(killed).toBeGreaterThan(0)
  expect((await check(backend)).problems.filter(({ kind }) => kind !== 'item')).toEqual([])
  await backend.close()
  expect((await indexes()).length, `repeat with RESCUE_SEED=${seed}`).toBe(1)
}, 600_000)
