import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { FileBackend } from '../../src/index.ts'
import { JobQueue } from '../../src/queue/index.ts'
import { withIndex } from '../conformance/file-harness.ts'
import { quickStart } from '../crash/quick-start.ts'
import { item } from '../items.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

const run = promisify(execFile)

function script(name: string): string {
  return new URL(`../crash/${name}`, import.meta.url).pathname
}

it('twenty processes that start at once on an empty directory all write', async () => {
  const dir = await temporaryDirectory()
  const names = Array.from({ length: 20 }, (_, n) => `process ${n}`)
  const env = await quickStart()
  const outputs = await Promise.all(
    names.map((name) => run(process.execPath, [script('first-write.ts'), dir, name], { env })),
  )
  expect(outputs.map(({ stdout }) => stdout.trim())).toEqual(names)
  const backend = new FileBackend({ dir })
  const found = await backend.getMany(names)
  expect(found.map((one) => one?.value)).toEqual(names)
  await backend.close()
}, 600_000)

it('counters, transactions and queues are exact across processes', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const env = await quickStart()
  const messages = Array.from({ length: 200 }, (_, n) => n)
  for (const n of messages) await new JobQueue(backend, 'q').push(n)
  const outputs = await Promise.all(
    Array.from({ length: 4 }, () => run(process.execPath, [script('counter.ts'), dir, '100'], { env })),
  )
  const values = (await backend.getMany(['counter', 'from', 'to'])).map((found) => found?.value)
  expect(values).toEqual([400, -400, 400])
  const got = outputs.flatMap(({ stdout }) => JSON.parse(stdout) as number[])
  expect(got.sort((a, b) => a - b)).toEqual(messages)
  await backend.close()
}, 600_000)

it('a message of a killed holder is leased again when its lease ends', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await new JobQueue(backend, 'q').push('work')
  const program = `
    import { FileBackend } from ${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)}
    import { JobQueue } from ${JSON.stringify(new URL('../../src/queue/index.ts', import.meta.url).href)}
    const backend = new FileBackend({ dir: ${JSON.stringify(dir)} })
    const held = await new JobQueue(backend, 'q').pull({ lease: 300 })
    console.log(held.leasedUntil)
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const [output] = (await once(child.stdout, 'data')) as [Buffer]
  child.kill('SIGKILL')
  await exited
  const leasedUntil = Number(output.toString())
  if (Date.now() < leasedUntil) expect(await new JobQueue(backend, 'q').pull()).toBe(undefined)
  let again = await new JobQueue(backend, 'q').pull()
  for (; again === undefined; again = await new JobQueue(backend, 'q').pull())
    expect(Date.now()).toBeLessThan(leasedUntil + 5000)
  expect(again).toMatchObject({ value: 'work', attempts: 2 })
  expect(Date.now()).toBeGreaterThanOrEqual(leasedUntil)
  await backend.close()
}, 60_000)

it('a worker thread shares the directory with the main thread', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('main', 1))
  const program = `
    import { parentPort } from 'node:worker_threads'
    import { FileBackend } from ${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)}
    const backend = new FileBackend({ dir: ${JSON.stringify(dir)} })
    const seen = (await backend.get('main')).value
    for (let n = 0; n < 100; n += 1) await backend.increment('counter', 1)
    await backend.close()
    parentPort.postMessage(seen)`
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`))
  const ended = once(worker, 'message')
  for (let n = 0; n < 100; n += 1) await backend.increment('counter', 1)
  expect((await ended)[0]).toBe(1)
  expect((await backend.get('counter'))?.value).toBe(200)
  await worker.terminate()
  await backend.close()
})

it('a write waits while another process holds the lock, and reads and the event loop continue', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('a', 1))
  await withIndexHeld(dir, async (letGo) => {
    let settled = false
    const writing = backend.set(item('a', 2)).finally(() => {
      settled = true
    })
    expect((await backend.get('other'))?.value).toBe(undefined)
    let turns = 0
    while (turns < 200) {
      await new Promise((resolve) => setImmediate(resolve))
      turns += 1
    }
    expect(settled).toBe(false)
    expect((await backend.getMany(['b', 'c'])).length).toBe(2)
    letGo()
    await writing
  })
  expect((await backend.get('a'))?.value).toBe(2)
  await backend.close()
})

it('a write that waits longer than lockTimeout rejects with TIMEOUT', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir, lockTimeout: 100 })
  await backend.set(item('a', 1))
  await withIndexHeld(dir, async (letGo) => {
    const started = performance.now()
    await expect(backend.set(item('a', 2))).rejects.toMatchObject({ code: 'TIMEOUT', operation: 'set', key: 'a' })
    expect(performance.now() - started).toBeGreaterThanOrEqual(100)
    letGo()
  })
  await backend.set(item('a', 3))
  expect((await backend.get('a'))?.value).toBe(3)
  await backend.close()
})

/** Runs `work` while another connection holds the write lock; `letGo` releases it. */
async function withIndexHeld(dir: string, work: (letGo: () => void) => Promise<void>): Promise<void> {
  let held: Promise<void> | undefined
  await withIndex(dir, (database) => {
    database.exec('begin immediate')
    let free = false
    const letGo = (): void => {
      if (!free) database.exec('rollback')
      free = true
    }
    held = work(letGo).finally(letGo)
    // The connection stays open until the work is done.
    const { close } = database
    database.close = () => {
      held?.finally(() => close.call(database)).catch(() => undefined)
    }
  })
  await held
}
