import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { countHistories } from '../src/verify/check-history.ts'
import { countPackage } from '../src/verify/check-tests.ts'
import { runCommand, tryCommand } from '../src/verify/run-command.ts'
import { Tally } from '../src/verify/tally.ts'
import { publicPackages } from '../src/verify/workspace.ts'

const passed = { fullName: 'a is kept', status: 'passed', failureMessages: [] }
const failed = { fullName: 'b is kept', status: 'failed', failureMessages: ['expected 1, got 2'] }

function reportOf(...files: { status: string; message?: string; assertionResults: { status: string }[] }[]): object {
  const tests = files.flatMap((file) => file.assertionResults)
  const number = (status: string): number => tests.filter((test) => test.status === status).length
  return {
    numPassedTests: number('passed'),
    numFailedTests: number('failed'),
    numPendingTests: number('skipped'),
    numTodoTests: 0,
    testResults: files.map((file) => ({ name: 'some.test.ts', ...file })),
  }
}

/** Counts a package whose run wrote `report`, and succeeded or failed. */
async function counted(report: object | undefined, ok: boolean): Promise<{ tally: Tally; shown: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'cache-verify-test-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  if (report) {
    await mkdir(join(directory, 'reports'))
    await writeFile(join(directory, 'reports', 'tests.json'), JSON.stringify(report))
  }
  let shown = ''
  const tally = new Tally((text) => {
    shown += text
  })
  await countPackage(tally, { name: 'some-package', directory }, { ok, cached: false })
  return { tally, shown }
}

it('every test of a report counts, the failed ones by name', async () => {
  const report = reportOf({ status: 'failed', assertionResults: [passed, passed, failed] })
  const { tally, shown } = await counted(report, false)
  expect([tally.passed, tally.failed]).toEqual([2, 1])
  expect(tally.failures).toEqual([{ name: 'some-package: b is kept', reason: 'expected 1, got 2' }])
  expect(shown).toContain('some-package: 2 passed, 1 failed, 0 skipped')
})

it('skipped tests are printed and count neither as passed nor as failed', async () => {
  const report = reportOf({ status: 'passed', assertionResults: [passed, { status: 'skipped' }] })
  const { tally, shown } = await counted(report, true)
  expect([tally.passed, tally.failed]).toEqual([1, 0])
  expect(shown).toContain('1 passed, 0 failed, 1 skipped')
})

it('a test file that cannot be loaded counts as a failure', async () => {
  const broken = { status: 'failed', message: 'no such module', assertionResults: [] }
  const report = reportOf({ status: 'passed', assertionResults: [passed] }, broken)
  const { tally } = await counted(report, false)
  expect([tally.passed, tally.failed]).toEqual([1, 1])
  expect(tally.failures[0]?.reason).toBe('no such module')
})

it('a failed run without a failed test counts as a failure', async () => {
  const { tally } = await counted(reportOf({ status: 'passed', assertionResults: [passed] }), false)
  expect([tally.passed, tally.failed]).toEqual([1, 1])
})

it('a package without a report counts as a failure', async () => {
  const { tally } = await counted(undefined, true)
  expect([tally.passed, tally.failed]).toEqual([0, 1])
})

it('a check passes when it resolves and fails with its message', async () => {
  const tally = new Tally(() => {})
  await tally.check('good', async () => {})
  await tally.check('bad', () => Promise.reject(new Error('broken')))
  expect([tally.passed, tally.failed]).toEqual([1, 1])
  expect(tally.failures).toEqual([{ name: 'bad', reason: 'broken' }])
})

it('a failed command rejects with its whole output', async () => {
  const program = 'console.log("out"); console.error("err"); process.exit(3)'
  expect((await tryCommand(process.execPath, ['-e', program])).code).toBe(3)
  const failure = runCommand(process.execPath, ['-e', program])
  await expect(failure).rejects.toThrow('ended with code 3')
  await expect(failure).rejects.toThrow('out')
  await expect(failure).rejects.toThrow('err')
})

it('the packages to publish exclude the private ones', async () => {
  const names = (await publicPackages()).map(({ name }) => name)
  expect(names).toContain('@cache/core')
  expect(names).not.toContain('@cache/workspace')
  expect(names).not.toContain('docs')
})

const historyLine = 'redis: 900 calls, 3 faults; histories: 40 passed, 1 failed, 0 undecided; checked in 9 ms'

it('every history of the checker counts, and a broken promise fails with its calls', () => {
  let shown = ''
  const tally = new Tally((text) => {
    shown += text
  })
  countHistories(tally, 1, `${historyLine}\nFAILED register, key 'a0'\n  set\n  get\n40 passed, 1 failed\n`)
  expect([tally.passed, tally.failed]).toEqual([40, 1])
  expect(tally.failures[0]?.name).toBe("history: register, key 'a0'")
  expect(tally.failures[0]?.reason).toContain('  set\n  get')
  expect(shown).toContain(historyLine)
})

it('a history checker that ends without histories counts as a failure', () => {
  for (const [code, output] of [
    [2, 'no server\n'],
    [0, '0 passed, 0 failed\n'],
    [2, '3 passed, 0 failed\n'],
    [null, '3 passed, 0 failed\n'],
  ] as const) {
    const tally = new Tally(() => {})
    countHistories(tally, code, output)
    expect([tally.passed, tally.failed]).toEqual([0, 1])
  }
})
