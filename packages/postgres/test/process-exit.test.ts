import { execFile } from 'node:child_process'
import type {} from '@cache/workspace/postgres-setup'
import pg from 'pg'
import { afterAll, expect, inject, it } from 'vitest'
import { tableName } from './table-name.ts'

const url = inject('postgresUrl')
const admin = new pg.Pool({ connectionString: url, max: 1 })
afterAll(() => admin.end())

const entry = new URL('../src/index.ts', import.meta.url).href

/** Runs a module to its end; resolves to its output, or to the reason why it did not end by itself. */
function run(body: string, ...given: string[]): Promise<string> {
  const program = `
    import { PostgresBackend, PostgresBus } from ${JSON.stringify(entry)}
    const [url, name] = process.argv.slice(1)
    const limits = { timeout: '30s', connectTimeout: '30s' }
    const item = { key: 'k', value: 1, version: 'v', createdAt: 0 }
    ${body}
  `
  return new Promise((resolve) => {
    const options = { timeout: 40_000, killSignal: 'SIGKILL' } as const
    execFile(process.execPath, ['--input-type=module', '-e', program, url, ...given], options, (error, stdout) => {
      resolve(error === null ? stdout.trim() : `${error.signal ?? error.code}: ${error.message}`)
    })
  })
}

it.each([{ pipeline: false }, { pipeline: true }])(
  'an unclosed backend does not keep the process alive: %j',
  async (options) => {
    const body = `
    const backend = new PostgresBackend({ url, table: name, ...limits, ...${JSON.stringify(options)} })
    await backend.set(item)
    await Promise.all([backend.get('k'), backend.increment('n', 1), backend.stats()])
    console.log('done')`
    expect(await run(body, tableName())).toBe('done')
  },
  60_000,
)

it('an unclosed bus with a subscription does not keep the process alive', async () => {
  const body = `
    const bus = new PostgresBus({ url, channel: name, heartbeat: 50, ...limits })
    let received = () => {}
    const arrived = new Promise((resolve) => { received = resolve })
    // The timer stands for the work of an application: the subscription alone would let the process end.
    const work = setTimeout(() => {}, 30_000)
    await bus.subscribe({ message: received, connected() {}, disconnected() {} })
    await bus.publish({ kind: 'foreign', source: 's' })
    await arrived
    clearTimeout(work)
    console.log('done')`
  expect(await run(body, tableName())).toBe('done')
}, 60_000)

it('the process stays alive until a call in flight has ended', async () => {
  const table = tableName()
  const body = `
    const backend = new PostgresBackend({ url, table: name, ...limits })
    backend.set(item).then(() => console.log('stored'))`
  expect(await run(body, table)).toBe('stored')
  expect((await admin.query(`select key from ${table}`)).rows).toEqual([{ key: 'k' }])
}, 60_000)
