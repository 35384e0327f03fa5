import { expect, it } from 'vitest'
import { eventLoopClock } from '../../src/timeouts/event-loop-clock.ts'

function block(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

it('the clock stands still while the event loop is blocked, before and after its timer notices the block', async () => {
  eventLoopClock.begin()
  const [began, by] = [performance.now(), eventLoopClock.now()]
  block(1000)
  const [atOnce, took] = [eventLoopClock.now() - by, performance.now() - began]
  expect(atOnce).toBeLessThanOrEqual(took - 800)
  expect(atOnce).toBeGreaterThan(0)
  await new Promise((resolve) => setTimeout(resolve, 0))
  const noticed = eventLoopClock.now() - by
  expect(noticed).toBeGreaterThanOrEqual(atOnce)
  expect(noticed).toBeLessThanOrEqual(performance.now() - began - 800)
  eventLoopClock.end()
})

it('the clock runs while the event loop is free', async () => {
  eventLoopClock.begin()
  const [began, by] = [performance.now(), eventLoopClock.now()]
  let ticks = 0
  while (performance.now() - began < 300) {
    ticks += 1
    await new Promise((resolve) => setImmediate(resolve))
  }
  // A busy machine may have blocked the loop for a while; the clock never runs ahead.
  expect(eventLoopClock.now() - by).toBeLessThanOrEqual(performance.now() - began)
  expect(eventLoopClock.now() - by).toBeGreaterThan(0)
  expect(ticks).toBeGreaterThan(1)
  eventLoopClock.end()
})
