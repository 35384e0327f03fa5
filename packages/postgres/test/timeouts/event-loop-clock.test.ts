import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { EventLoopClock } from '../../src/timeouts/event-loop-clock.ts'

let time = 5000
let clock: EventLoopClock

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  vi.spyOn(performance, 'now').mockImplementation(() => time)
  clock = new EventLoopClock()
})

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

/** Lets time pass while timers fire on time. */
function pass(ms: number): void {
  for (let passed = 0; passed < ms; passed += 1) {
    time += 1
    vi.advanceTimersByTime(1)
  }
}

/** Lets time pass while no timer can fire, until the due timers fire late. */
function block(ms: number): void {
  time += ms
}

function fireLateTimers(ms: number): void {
  vi.advanceTimersByTime(ms)
}

it('the clock stands still while the event loop is blocked, before and after its timer notices the block', () => {
  clock.begin()
  const [began, by] = [performance.now(), clock.now()]
  block(1000)
  const [atOnce, took] = [clock.now() - by, performance.now() - began]
  expect(atOnce).toBeLessThanOrEqual(took - 800)
  expect(atOnce).toBeGreaterThan(0)
  fireLateTimers(1000)
  const noticed = clock.now() - by
  expect(noticed).toBeGreaterThanOrEqual(atOnce)
  expect(noticed).toBeLessThanOrEqual(performance.now() - began - 800)
  pass(300)
  expect(clock.now() - by).toBe(noticed + 300)
  clock.end()
})

it('the clock runs while the event loop is free', () => {
  clock.begin()
  const by = clock.now()
  for (let passed = 10; passed <= 300; passed += 10) {
    pass(10)
    expect(clock.now() - by).toBe(passed)
  }
  clock.end()
})

it('a late timer of less than twenty milliseconds is no block', () => {
  clock.begin()
  const by = clock.now()
  block(115)
  expect(clock.now() - by).toBe(115)
  fireLateTimers(100)
  expect(clock.now() - by).toBe(115)
  clock.end()
})

it('the clock has no timer once the last call has ended', () => {
  clock.begin()
  clock.begin()
  clock.end()
  pass(150)
  expect(vi.getTimerCount()).toBe(1)
  clock.end()
  pass(150)
  expect(vi.getTimerCount()).toBe(0)
})
