import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { createRandom } from '../../src/harness/random.ts'
import { checkHistory } from '../../src/history/checks/check-history.ts'
import { readHistoryOptions } from '../../src/history/command-line.ts'
import { families } from '../../src/history/record/areas.ts'
import { readLog } from '../../src/history/record/read-log.ts'
import { Recorder } from '../../src/history/record/recorder.ts'
import { describeFinding } from '../../src/history/report.ts'
import { Plan } from '../../src/history/run/plan.ts'
import { runSegment } from '../../src/history/run/run-segment.ts'
import { storeOf } from '../../src/history/run/stores.ts'
import { idOf, storedValue } from '../../src/history/run/value.ts'

vi.setConfig({ testTimeout: 120_000 })

it('the options have defaults, and name what is wrong', () => {
  const { duration, processes, stores } = readHistoryOptions([])
  expect([duration, processes, stores.length]).toEqual([60, 3, 9])
  const args = ['--duration', '5', '--seed', '7', '--backend', 'redis', '--backend', 'file', '--processes', '2']
  expect(readHistoryOptions(args)).toEqual({ duration: 5, seed: 7, stores: ['redis', 'file'], processes: 2 })
  expect(() => readHistoryOptions(['--processes', '5'])).toThrow(
    "--processes must be a whole number between 2 and 4, but was '5'",
  )
  expect(() => readHistoryOptions(['--backend', 'tape'])).toThrow("unknown backend 'tape'")
})

it('the same seed gives the same plan, and another seed another one', () => {
  const plan = (seed: number): unknown[] => {
    const one = new Plan('p0-0', families, createRandom(seed))
    return Array.from({ length: 200 }, () => one.next())
  }
  expect(plan(1)).toEqual(plan(1))
  expect(plan(1)).not.toEqual(plan(2))
})

it('a log keeps the calls of a killed process, without the line that the kill cut', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cache-history-test-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'p0')
  const recorder = new Recorder('p0', path, process.hrtime.bigint())
  const done = recorder.begin('plain 0', { do: 'get', key: 'a0' })
  done.done(null)
  recorder.begin('plain 0', { do: 'set', key: 'a0', value: 'v1' }).note('seen', 'v0')
  const { calls } = readLog('p0', `${await readFile(path, 'utf8')}["done","p0.2",`)
  expect(calls.map(({ outcome }) => outcome)).toEqual(['done', 'open'])
  expect(calls[0]?.start).toBeLessThanOrEqual(calls[0]?.end ?? 0)
  expect(calls[1]).toMatchObject({ end: Infinity, notes: [{ what: 'seen', value: 'v0' }] })
})

it('a damaged value has no id of a written value', () => {
  expect(idOf(storedValue('p0-0-33'))).toBe('p0-0-33')
  expect(idOf(undefined)).toBe(null)
  expect(idOf({ ...storedValue('p0-0-33'), padding: 'h' })).toContain('damaged')
  expect(idOf({ ...storedValue('p0-0-33'), id: 'p0-0-34' })).toContain('damaged')
})

it('processes on one directory keep every promise, while one of them is killed or stopped', async () => {
  const seed = Number(process.env.SEED ?? 11)
  const { history } = await runSegment({ store: 'file', seed, seconds: 4, processes: 2, show: () => {} })
  expect(history.calls.some(({ outcome }) => outcome === 'done')).toBe(true)
  const { findings } = checkHistory(history, storeOf('file').promises)
  expect(findings.map(describeFinding), `SEED=${seed}`).toEqual([])
})
