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

/** Timeouts that reject late commands, and list when they did. */
function open(): { timeouts: CommandTimeouts; expired: [SingleSendCommand, number][] } {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] })
  const expired: [SingleSendCommand, number][] = []
  const timeouts = new CommandTimeouts(timeout, (late) => {
    expired.push([late, performance.now()])
    late.reject(new Error('late'))
  })
  return { timeouts, expired }
}

describe('a command without a reply', () => {
  it('times out at its own time, also when another is sent while an earlier one times out', () => {
    const { timeouts, expired } = open()
    const [first, second, third] = [command(), command(), command()]
    timeouts.add(first)
    vi.advanceTimersByTime(10)
    timeouts.add(second)
    // The check at the first timeout: replies that have arrived are read before a command is rejected.
    vi.advanceTimersByTime(timeout - 11)
    vi.advanceTimersToNextTimer()
    expect(expired).toEqual([])
    timeouts.add(third)
    vi.advanceTimersByTime(3 * timeout)
    expect(expired.map(([late]) => late)).toEqual([first, second, third])
    for (const [late, at] of expired) expect(at - late.timeoutAt).toBeLessThan(5)
  })

  it('leaves no timer once all commands are settled', () => {
    const { timeouts } = open()
    const waiting = command()
    timeouts.add(waiting)
    waiting.resolve(null)
    vi.advanceTimersByTime(timeout)
    expect(vi.getTimerCount()).toBe(0)
    expect(timeouts.isIdle).toBe(true)
  })

  it('frees the later commands that were answered before it', async () => {
    const timeouts = new CommandTimeouts(60_000, () => {})
    const hung = command()
    timeouts.add(hung)
    const answered: WeakRef<SingleSendCommand>[] = []
    for (let count = 0; count < 2000; count++) {
      const one = command()
      timeouts.add(one)
      one.resolve(null)
      answered.push(new WeakRef(one))
    }
    // A weak reference keeps its target alive until the current task of the event loop ends.
    await new Promise((resolve) => setImmediate(resolve))
    setFlagsFromString('--expose-gc')
    runInNewContext('gc')()
    expect(answered.filter((one) => one.deref() !== undefined).length).toBeLessThan(200)
    expect(timeouts.isIdle).toBe(false)
    timeouts.stop()
  })
})
