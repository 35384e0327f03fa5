import assert from 'node:assert/strict'
import * as nodeTest from 'node:test'
import { describe, expect, it, vi } from 'vitest'
import {
  chapters,
  conformance,
  type Harness,
  type It,
  type Runner,
  type RunningTest,
  runSuite,
  type Summary,
  summaryText,
} from '../../src/conformance/index.ts'
import { type CacheBackend, nullBackend } from '../../src/index.ts'
import { BytesBackend } from './bytes-backend.ts'
import { bytesHarness } from './bytes-harness.ts'
import { mapHarness } from './map-harness.ts'

const rules = chapters.flatMap((chapter) => chapter.rules)

interface Declared {
  readonly title: string
  readonly skipped: boolean
  run(running?: RunningTest): Promise<void>
}

/** A runner that only takes note of what is declared. */
function declare(harness: Harness): Declared[] {
  const declared: Declared[] = []
  const note = (title: string, run: Declared['run']): number => declared.push({ title, skipped: false, run })
  const noteSkipped = (title: string): number => declared.push({ title, skipped: true, run: async () => {} })
  const own: It = Object.assign(note, { skip: noteSkipped })
  conformance(harness, { describe: (_, body) => body(), it: own })
  return declared
}

function one(declared: readonly Declared[], id: string): Declared {
  const found = declared.find(({ title }) => title.startsWith(`${id} `))
  assert(found)
  return found
}

describe('the suite in a runner', () => {
  it('declares one test for each rule, titled by number and promise', () => {
    const declared = declare(bytesHarness())
    const titles = rules.map((rule) => `${rule.id} ${rule.says}`)
    assert.equal(declared.length, titles.length)
    // What is skipped says why after that.
    for (const [index, title] of titles.entries()) assert(declared[index]?.title.startsWith(title), title)
  })

  it('fits the runner of Node as well as vitest', () => {
    const runners: readonly Runner[] = [
      { describe, it },
      { describe: nodeTest.describe, it: nodeTest.it },
    ]
    assert.equal(runners.length, 2)
  })

  it('shows what the harness lacks as skipped before anything runs, with the reason', () => {
    const { openOther: _, ...rest } = bytesHarness()
    const { title, skipped } = one(declare(rest), '5.6')
    assert(skipped)
    assert(title.endsWith("(skipped: the harness has no 'openOther')"), title)
    const { title: own } = one(declare({ ...rest, without: { openOther: 'there is one folder' } }), '5.6')
    assert(own.endsWith('(skipped: there is one folder)'), own)
  })

  it('shows what the backend lacks as skipped while it runs, with the reason', async () => {
    const reasons: string[] = []
    await one(declare(bytesHarness()), '13.1').run({ skip: (reason) => reasons.push(reason) })
    assert.deepEqual(reasons, ["the backend has no 'sync'"])
  })

  it('warns of what is skipped in a runner that cannot skip a running test', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    try {
      await one(declare(bytesHarness()), '13.1').run()
      expect(warn).toHaveBeenCalledOnce()
      assert.match(String(warn.mock.calls[0]?.[0]), /^bytes: 13\.1 .*\(skipped: the backend has no 'sync'\)$/)
    } finally {
      warn.mockRestore()
    }
  })

  it('declares checks without a parameter, which mocha and jest would take for a callback', () => {
    let checks = 0
    const note = (_title: string, check: (...given: never[]) => unknown): void => {
      checks += 1
      assert.equal(check.length, 0)
    }
    conformance(bytesHarness(), {
      describe: (_, body) => body(),
      it: Object.assign(note, { skip: () => {} }),
    })
    assert(checks > 50)
  })

  it("skips and sets the time limit through mocha's `this`", async () => {
    const calls: unknown[] = []
    const context = { skip: () => calls.push('skip'), timeout: (ms: number) => calls.push(ms) }
    await one(declare(bytesHarness()), '13.1').run.call(context)
    assert.deepEqual(calls, [60_000, 'skip'])
  })

  it('rejects with the failure of the rule', async () => {
    const run = one(declare(bytesHarness(Forgetful)), '1.2').run()
    await assert.rejects(run, { name: 'AssertionError', message: 'get("full") found nothing' })
  })

  it('closes every handle and cleans up after a rule that failed', async () => {
    let open = 0
    let disposed = 0
    class Counted extends BytesBackend {
      override async get(): Promise<undefined> {
        return undefined
      }
      override async close(): Promise<void> {
        open -= 1
        await super.close()
      }
    }
    const harness = bytesHarness(Counted)
    const counted = {
      ...harness,
      open: () => {
        open += 1
        return harness.open()
      },
      openSecond: () => {
        open += 1
        return harness.openSecond()
      },
      dispose: () => {
        assert.equal(open, 0)
        disposed += 1
      },
    }
    await assert.rejects(one(declare(counted), '11.1').run())
    assert.equal(disposed, 1)
  })

  it('prints the seed of a random walk that fails, and the seed repeats the walk', async () => {
    class LosesSome extends BytesBackend {
      #writes = 0
      override async set(item: Parameters<BytesBackend['set']>[0]): Promise<void> {
        this.#writes += 1
        if (this.#writes % 20 !== 0) await super.set(item)
      }
    }
    const messages: string[] = []
    for (const seed of [7, 7, 8]) {
      vi.stubEnv('CONFORMANCE_SEED', '')
      const run = one(declare({ ...bytesHarness(LosesSome), seed }), '14.1').run()
      const error: unknown = await run.then(() => undefined).catch((reason: unknown) => reason)
      assert(error instanceof Error)
      assert(error.message.includes(`repeat with CONFORMANCE_SEED=${seed}\n`), error.message)
      // The versions are drawn anew for every run.
      const trail = error.message.slice(error.message.indexOf('\nseed '))
      messages.push(
        trail.replaceAll(/"version":"[^"]*"/g, '').replaceAll(/compareAndSet ("[^"]*") \S+/g, 'compareAndSet $1'),
      )
    }
    vi.unstubAllEnvs()
    assert.equal(messages[0], messages[1])
    assert.notEqual(messages[1], messages[2])
  })

  it('takes the seed of the environment before that of the harness', async () => {
    vi.stubEnv('CONFORMANCE_SEED', '4711')
    try {
      class Empty extends BytesBackend {
        override async set(): Promise<void> {}
      }
      await assert.rejects(one(declare({ ...bytesHarness(Empty), seed: 7 }), '14.1').run(), /CONFORMANCE_SEED=4711/)
    } finally {
      vi.unstubAllEnvs()
    }
  })

  it('says no to a wrapper that the harness cannot serve', async () => {
    const { throughTwoHandles } = await import('../../src/conformance/index.ts')
    const { openSecond: _, ...single } = mapHarness()
    assert.throws(() => throughTwoHandles(single), /has no 'openSecond'/)
  })
})

class Forgetful extends BytesBackend {
  override async set(): Promise<void> {}
}

describe('the summary of a run', () => {
  it('counts the rules, and has a reason for each broken or skipped rule', async () => {
    const forgetful = (backend: CacheBackend): CacheBackend => ({
      name: 'forgetful',
      get: async (key) => (key === 'full' ? undefined : backend.get(key)),
      set: (item) => backend.set(item),
      delete: (key) => backend.delete(key),
      clear: (prefix) => backend.clear(prefix),
    })
    const summary = await runSuite({ ...mapHarness(forgetful), name: 'forgetful' })
    assert.equal(summary.harness, 'forgetful')
    assert.equal(summary.kept + summary.broken + summary.skipped, rules.length)
    assert.deepEqual(
      summary.rules.map(({ id }) => id),
      rules.map(({ id }) => id),
    )
    const [kept, broken, lacking, without] = ['1.1', '1.2', '13.1', '5.6'].map((id) =>
      summary.rules.find((one) => one.id === id),
    )
    assert.deepEqual(kept, { id: '1.1', says: kept?.says, status: 'kept' })
    assert.deepEqual(broken, {
      id: '1.2',
      says: broken?.says,
      status: 'broken',
      reason: 'AssertionError: get("full") found nothing',
    })
    assert.deepEqual(lacking, {
      id: '13.1',
      says: lacking?.says,
      status: 'skipped',
      reason: "the backend has no 'sync'",
      cost: 'every hit waits for a promise, and SyncCache does not accept the backend',
    })
    assert.deepEqual(without, {
      id: '5.6',
      says: without?.says,
      status: 'skipped',
      reason: "the harness has no 'openOther'",
      cost: 'untested: the separation of two prefixes on one store',
    })
    assert.deepEqual(JSON.parse(JSON.stringify(summary)), summary)
  })

  it('is text with the counts, the failures, and one line for each reason of skips', () => {
    const text = summaryText({
      harness: 'map',
      kept: 1,
      broken: 1,
      skipped: 2,
      rules: [
        { id: '1.1', says: 'first', status: 'kept' },
        { id: '1.2', says: 'second', status: 'broken', reason: 'one\ntwo' },
        { id: '9.1', says: 'third', status: 'skipped', reason: 'no corrupt', cost: 'untested: damage' },
        { id: '9.2', says: 'fourth', status: 'skipped', reason: 'no corrupt', cost: 'untested: damage' },
      ],
    })
    assert.equal(
      text,
      [
        'map: 1 rules kept, 1 broken, 2 skipped',
        'broken 1.2 second',
        '  one',
        '  two',
        'skipped 9.1, 9.2: no corrupt (untested: damage)',
      ].join('\n'),
    )
  })

  it('reaches the runner after the last rule', async () => {
    const checks: (() => Promise<void>)[] = []
    const ends: (() => void)[] = []
    const summaries: Summary[] = []
    const note = (_: string, check: () => Promise<void>): number => checks.push(check)
    conformance(mapHarness(), {
      describe: (_, body) => body(),
      it: Object.assign(note, { skip: () => {} }),
      after: (action) => ends.push(action),
      summary: (summary) => summaries.push(summary),
    })
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    for (const check of checks) await check()
    warn.mockRestore()
    for (const end of ends) end()
    assert.equal(summaries.length, 1)
    const [summary] = summaries
    assert.equal(summary?.broken, 0)
    assert.deepEqual(
      summary?.rules.map(({ id }) => id),
      rules.map(({ id }) => id),
    )
  })

  it('needs the `after` of the runner', () => {
    const runner = { describe: () => {}, it: Object.assign(() => {}, { skip: () => {} }), summary: () => {} }
    expect(() => conformance(mapHarness(), runner)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})

describe('conformance', () => {
  const runner = { describe: () => {}, it: Object.assign(() => {}, { skip: () => {} }) }
  const good = { name: 'x', open: () => nullBackend, values: 'copies' } as const

  it('refuses a harness that lacks a member or has one of an unknown name, and a runner that is none', () => {
    conformance(good, runner)
    for (const harness of [
      undefined,
      {},
      { ...good, name: '' },
      { ...good, values: 'both' },
      { ...good, opne: () => nullBackend },
    ]) {
      expect(() => conformance(harness as never, runner)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    }
    expect(() => conformance(good, undefined as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})
