import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Deadlines } from '../../src/commands/command-timeouts.ts'
import { SingleSendCommand } from '../../src/commands/single-send-command.ts'

const timeout = 1000

afterEach(() => {
  vi.useRealTimers()
})

function command(): SingleSendCommand {
  const made = new SingleSendCommand('get', ['k'])
  made.promise.catch(() => {})
  return made
}

/** Deadlines that reject what is late and write down when. */
function open(): { deadlines: Deadlines; expired: [SingleSendCommand, number][] } {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] })
  const expired: [SingleSendCommand, number][] = []
  const deadlines = new Deadlines(timeout, (late) => {
    expired.push([late, performance.now()])
    late.reject(new Error('late'))
  })
  return { deadlines, expired }
}

describe('A command without a reply', () => {
  it('is given up at its own deadline, also when another was sent while an earlier one was about to be given up', () => {
    const { deadlines, expired } = open()
    const [first, second, third] = [command(), command(), command()]
    deadlines.watch(first)
    vi.advanceTimersByTime(10)
    deadlines.watch(second)
    // The look at the first deadline; what is there is read before anything is rejected.
    vi.advanceTimersByTime(timeout - 11)
    vi.advanceTimersToNextTimer()
    expect(expired).toEqual([])
    deadlines.watch(third)
    vi.advanceTimersByTime(3 * timeout)
    expect(expired.map(([late]) => late)).toEqual([first, second, third])
    for (const [late, at] of expired) expect(at - late.deadline).toBeLessThan(5)
  })

  it('leaves no timer behind that keeps looking once all are settled', () => {
    const { deadlines } = open()
    const waiting = command()
    deadlines.watch(waiting)
    waiting.resolve(null)
    vi.advanceTimersByTime(timeout)
    expect(vi.getTimerCount()).toBe(0)
    expect(deadlines.isIdle).toBe(true)
  })

  it('does not keep those in memory that were sent after it and answered before', async () => {
    const deadlines = new Deadlines(60_000, () => {})
    const hung = command()
    deadlines.watch(hung)
    const answered: WeakRef<SingleSendCommand>[] = []
    for (let count = 0; count < 2000; count++) {
      const one = command()
      deadlines.watch(one)
      one.resolve(null)
      answered.push(new WeakRef(one))
    }
    // A weak reference holds what it refers to until the turn of the event loop that made it is over.
    await new Promise((resolve) => setImmediate(resolve))
    setFlagsFromString('--expose-gc')
    runInNewContext('gc')()
    expect(answered.filter((one) => one.deref() !== undefined).length).toBeLessThan(200)
    expect(deadlines.isIdle).toBe(false)
    deadlines.stop()
  })
})
