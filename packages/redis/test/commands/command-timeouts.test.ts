import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { CommandTimeouts } from '../../src/commands/command-timeouts.ts'
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

/** CommandTimeouts that reject what is late and write down when. */
function open(): { timeouts: CommandTimeouts; expired: [SingleSendCommand, number][] } {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] })
  const expired: [SingleSendCommand, number][] = []
  const timeouts = new CommandTimeouts(timeout, (late) => {
    expired.push([late, performance.now()])
    late.reject(new Error('late'))
  })
  return { timeouts, expired }
}

describe('A command without a reply', () => {
  it('is given up at its own deadline, also when another was sent while an earlier one was about to be given up', () => {
    const { timeouts, expired } = open()
    const [first, second, third] = [command(), command(), command()]
    timeouts.watch(first)
    vi.advanceTimersByTime(10)
    timeouts.watch(second)
    // The look at the first deadline; what is there is read before anything is rejected.
    vi.advanceTimersByTime(timeout - 11)
    vi.advanceTimersToNextTimer()
    expect(expired).toEqual([])
    timeouts.watch(third)
    vi.advanceTimersByTime(3 * timeout)
    expect(expired.map(([late]) => late)).toEqual([first, second, third])
    for (const [late, at] of expired) expect(at - late.timeoutAt).toBeLessThan(5)
  })

  it('leaves no timer behind that keeps looking once all are settled', () => {
    const { timeouts } = open()
    const waiting = command()
    timeouts.watch(waiting)
    waiting.resolve(null)
    vi.advanceTimersByTime(timeout)
    expect(vi.getTimerCount()).toBe(0)
    expect(timeouts.isIdle).toBe(true)
  })

  it('does not keep those in memory that were sent after it and answered before', async () => {
    const timeouts = new CommandTimeouts(60_000, () => {})
    const hung = command()
    timeouts.watch(hung)
    const answered: WeakRef<SingleSendCommand>[] = []
    for (let count = 0; count < 2000; count++) {
      const one = command()
      timeouts.watch(one)
      one.resolve(null)
      answered.push(new WeakRef(one))
    }
    // A weak reference holds what it refers to until the turn of the event loop that made it is over.
    await new Promise((resolve) => setImmediate(resolve))
    setFlagsFromString('--expose-gc')
    runInNewContext('gc')()
    expect(answered.filter((one) => one.deref() !== undefined).length).toBeLessThan(200)
    expect(timeouts.isIdle).toBe(false)
    timeouts.stop()
  })
})
