import type { SingleSendCommand } from './single-send-command.ts'

/** Settled commands that are kept besides as many as wait, until the list is copied without them. */
const mostSettled = 64

/**
 * Bounds how long commands wait for their replies: one timer for all of them, because a timer each costs more than the
 * command.
 *
 * A timer may also be late because this process was busy; the replies then lie in the socket, unread. So when a deadline
 * has passed, the event loop reads what is there twice before anything is rejected (without this, 20 of 20 healthy
 * connections were given up after a block; with it, none).
 */
export class CommandTimeouts {
  readonly #timeout: number
  readonly #expire: (command: SingleSendCommand) => void
  /**
   * In the order of their timeouts, because all wait for the same time. The settled ones among them are dropped now and then:
   * being told of each would cost a promise more.
   */
  #pending: SingleSendCommand[] = []
  /** Those before it are settled. */
  #start = 0
  /** How long the list may become before the settled ones are dropped. */
  #most = mostSettled
  #timer: NodeJS.Timeout | undefined

  constructor(timeout: number, expire: (command: SingleSendCommand) => void) {
    this.#timeout = timeout
    this.#expire = expire
  }

  /** Whether no command waits for its reply. */
  get isIdle(): boolean {
    return this.#first() === undefined
  }

  watch(command: SingleSendCommand): void {
    command.timeoutAt = performance.now() + this.#timeout
    // What a hung node of a Cluster was asked for must not keep all the answers of the others in memory.
    if (this.#pending.push(command) > this.#most) this.#drop()
    this.#timer ??= this.#arm(this.#timeout)
  }

  /** Resolves when no command waits. */
  async idle(): Promise<void> {
    while (!this.isIdle) await Promise.allSettled(this.#pending.slice(this.#start).map(({ promise }) => promise))
  }

  /** Gives up all that wait for a connection. */
  rejectUnsent(error: Error): void {
    for (const command of this.#pending.slice(this.#start)) {
      if (!command.isSettled && !command.wasWritten) command.reject(error)
    }
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #arm(ms: number): NodeJS.Timeout {
    // A command in flight keeps the process alive by its socket.
    return setTimeout(() => this.#look(), Math.max(1, Math.ceil(ms))).unref()
  }

  /** As many as wait, and some, come before the next time: dropping then costs each of them little. */
  #drop(): void {
    this.#pending = this.#pending.filter((command) => !command.isSettled)
    this.#start = 0
    this.#most = this.#pending.length * 2 + mostSettled
  }

  /** The first that is not settled; drops all when there is none. */
  #first(): SingleSendCommand | undefined {
    const pending = this.#pending
    while (this.#start < pending.length) {
      const command = pending[this.#start] as SingleSendCommand
      if (!command.isSettled) return command
      this.#start += 1
    }
    if (pending.length > 0) this.#pending = []
    this.#start = 0
    this.#most = mostSettled
    return undefined
  }

  #look(): void {
    this.#timer = undefined
    const first = this.#first()
    if (first === undefined) return
    const now = performance.now()
    if (first.timeoutAt > now) {
      this.#timer = this.#arm(first.timeoutAt - now)
      return
    }
    setImmediate(() => setImmediate(() => this.#expireAll(now)))
  }

  #expireAll(now: number): void {
    for (let first = this.#first(); first !== undefined && first.timeoutAt <= now; first = this.#first()) {
      this.#start += 1
      this.#expire(first)
    }
    // One that was sent since the look has armed the timer for itself, which is too late for those before it.
    this.stop()
    const first = this.#first()
    if (first !== undefined) this.#timer = this.#arm(first.timeoutAt - performance.now())
  }
}
