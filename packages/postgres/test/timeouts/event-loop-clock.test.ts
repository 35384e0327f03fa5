import { expect, it } from 'vitest'
import { loopClock } from '../../src/timeouts/event-loop-clock.ts'

function block(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

it('stands still while the event loop is blocked, whether the timer has noticed yet or not', async () => {
  loopClock.begin()
  const [began, by] = [performance.now(), loopClock.now()]
  block(1000)
  const [atOnce, took] = [loopClock.now() - by, performance.now() - began]
  expect(atOnce).toBeLessThanOrEqual(took - 800)
  expect(atOnce).toBeGreaterThan(0)
  await new Promise((resolve) => setTimeout(resolve, 0))
  const noticed = loopClock.now() - by
  expect(noticed).toBeGreaterThanOrEqual(atOnce)
  expect(noticed).toBeLessThanOrEqual(performance.now() - began - 800)
  loopClock.end()
})

it('goes on with the time while nothing blocks it', async () => {
  loopClock.begin()
  const [began, by] = [performance.now(), loopClock.now()]
  let turns = 0
  while (performance.now() - began < 300) {
    turns += 1
    await new Promise((resolve) => setImmediate(resolve))
  }
  // A busy machine may have blocked it for a while; it never runs ahead.
  expect(loopClock.now() - by).toBeLessThanOrEqual(performance.now() - began)
  expect(loopClock.now() - by).toBeGreaterThan(0)
  expect(turns).toBeGreaterThan(1)
  loopClock.end()
})
