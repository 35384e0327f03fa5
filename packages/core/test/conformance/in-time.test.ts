import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { Stage } from '../../src/conformance/stage/stage.ts'
import { MapBackend } from './map-backend.ts'

async function stageInRealTime(): Promise<Stage> {
  const stage = new Stage({ name: 'map', values: 'references', open: () => new MapBackend() })
  await stage.openFirst()
  return stage
}

describe('what a rule finds before a deadline', () => {
  it('says nothing once the deadline has passed: the work runs again, on an empty store and with more time', async () => {
    const stage = await stageInRealTime()
    const deadlines: number[] = []
    const found: unknown[] = []
    const last = await stage.inTime(async (deadline) => {
      deadlines.push(deadline)
      found.push(await stage.backend.get('k'))
      if (deadlines.length > 1) return
      await stage.backend.set(stage.item('k', 1))
      await stage.until(() => !stage.before(deadline), 'the deadline to pass')
      throw new Error('too late to say anything')
    })
    const [first = 0, second = 0] = deadlines
    assert.equal(deadlines.length, 2)
    // The second one was chosen after the first had passed, and lies four times as far away.
    assert(second - first >= 800, `${second - first} ms later`)
    assert.equal(last, second)
    assert.deepEqual(found, [undefined, undefined])
    await stage.end()
  })

  it('counts while the deadline lies ahead: a failure then is told at once', async () => {
    const stage = await stageInRealTime()
    let runs = 0
    const work = async (): Promise<void> => {
      runs += 1
      throw new Error('broken')
    }
    await assert.rejects(stage.inTime(work), /^Error: broken$/)
    assert.equal(runs, 1)
    await stage.end()
  })
})
