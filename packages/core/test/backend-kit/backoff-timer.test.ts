import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { BackoffTimer, startTimer } from '../../src/backend-kit/index.ts'
import { createMovableClock } from '../../src/conformance/index.ts'

describe('a back-off timer', () => {
  it('doubles the delay from run to run, up to the longest, and starts anew after a reset', () => {
    const clock = createMovableClock(0)
    const runs: number[] = []
    const timer = new BackoffTimer(clock, 100, 350, () => runs.push(clock.now()))
    for (let round = 0; round < 4; round += 1) {
      timer.schedule()
      clock.advance(1000)
    }
    timer.reset()
    timer.schedule()
    clock.advance(1000)
    assert.deepEqual(runs, [100, 1200, 2350, 3350, 4100])
  })

  it('plans one run at a time, and none after a reset', () => {
    const clock = createMovableClock(0)
    let runs = 0
    const timer = new BackoffTimer(clock, 100, 1000, () => {
      runs += 1
    })
    timer.schedule()
    timer.schedule()
    assert.equal(clock.timers, 1)
    timer.reset()
    assert.equal(clock.timers, 0)
    clock.advance(10_000)
    assert.equal(runs, 0)
  })

  it('may be planned again by its own task', () => {
    const clock = createMovableClock(0)
    const runs: number[] = []
    const timer: BackoffTimer = new BackoffTimer(clock, 10, 1000, () => {
      runs.push(clock.now())
      if (runs.length < 3) timer.schedule()
    })
    timer.schedule()
    clock.advance(100)
    assert.deepEqual(runs, [10, 30, 70])
  })
})

describe('startTimer', () => {
  it('uses the timers of the machine for a clock without timers, and they do not keep the process alive', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const clock = { now: () => 0 }
    const before = timers()
    let ranAfterCancel = false
    const cancel = startTimer(clock, 1, () => {
      ranAfterCancel = true
    })
    assert.equal(timers(), before)
    cancel()
    await new Promise<void>((resolve) => {
      startTimer(clock, 2, resolve)
    })
    assert.equal(ranAfterCancel, false)
  })
})
