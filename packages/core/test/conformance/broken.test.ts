import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { chapters, type Harness, type Rule, runRule } from '../../src/conformance/index.ts'
import type { CacheBackend } from '../../src/index.ts'
import { collection } from './broken/index.ts'
import { bytesHarness } from './bytes-harness.ts'
import type { MapBackend } from './map-backend.ts'
import { mapHarness } from './map-harness.ts'
import { transactionalHarness } from './transactional-harness.ts'

const rules = chapters.flatMap((chapter) => chapter.rules)

function ruleOf(id: string): Rule {
  const rule = rules.find((one) => one.id === id)
  assert(rule, `there is no rule ${id}`)
  return rule
}

/** The honest backend that shows a rule: of bytes where it can, else the one that answers without waiting. */
function honest(rule: Rule): Harness {
  if (rule.members.includes('near')) return mapHarness(holdingNear)
  if (rule.members.includes('inTransaction')) return transactionalHarness()
  return rule.members.includes('sync') ? mapHarness() : bytesHarness()
}

/** The reference store has `sync`; `near` is for stores that hold a part of the data only. */
function holdingNear(backend: MapBackend): CacheBackend {
  return Object.assign(backend, { near: backend.sync })
}

describe('the suite catches every broken backend', () => {
  it('the collection breaks every rule at least once, so no rule is one that cannot fail', () => {
    const broken = new Set(collection.map((one) => one.rule))
    const whole = rules.map((rule) => rule.id).filter((id) => !broken.has(id))
    assert.deepEqual(whole, [])
  })

  it('the collection holds at least forty backends, each another one', () => {
    assert(collection.length >= 40)
    assert.equal(new Set(collection.map((one) => one.does)).size, collection.length)
  })

  for (const { rule: id, does, harness } of collection) {
    it(`rule ${id} catches a backend that ${does}`, async () => {
      const outcome = await runRule(ruleOf(id), harness())
      assert(outcome.status === 'failed', `the rule was ${outcome.status}`)
      // A mistake in the broken backend itself would prove nothing.
      const { name, message } = outcome.error as Error
      const isProof = ['AssertionError', 'CacheError', 'Error'].includes(name) || message.includes('read only property')
      assert(isProof, `failed with a ${name}: ${message}`)
    })
  }

  // What only a clock that is moved can show: a deadline met to the millisecond, ten years.
  const toTheMillisecond = [
    'drops items without a deadline after a year',
    'serves an item at the very instant of its deadline',
    'keeps deadlines in whole seconds, rounded down',
  ]
  for (const { rule: id, does, realTime } of collection) {
    if (!/^2\.|^7\.4|^8\.2/.test(id) || toTheMillisecond.includes(does) || !realTime) continue
    it(`rule ${id} catches in real time, without a clock of its own, a backend that ${does}`, async () => {
      const outcome = await runRule(ruleOf(id), realTime())
      assert.equal(outcome.status, 'failed')
    })
  }

  for (const rule of rules) {
    it(`rule ${rule.id} passes on an honest backend`, async () => {
      const outcome = await runRule(rule, honest(rule))
      if (outcome.status === 'failed') throw outcome.error
      assert.deepEqual(outcome, { status: 'passed' })
    })
  }
})
