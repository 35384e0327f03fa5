import type { SingleSendCommand } from './single-send-command.ts'

/** How many settled commands the list may hold besides as many pending ones, before the settled ones are removed. */
const mostSettled = 64

/**
 * Limits how long commands wait for their replies. All commands share one timer, because a timer costs more than a
 * command.
 *
 * The timer can also fire late because this process was busy, with the replies still unread in the socket. So after a
 * timeout the event loop reads twice before any command is rejected. Without these reads, a blocked event loop made 20
 * of 20 healthy connections look dead; with them, none.
 */
export class CommandTimeouts {
  readonly #timeout: number
  readonly #onTimeout: (command: SingleSendCommand) => void
  /**
   * Commands in the order of their timeouts, because all wait for the same time. Settled commands are removed now and
   * then: to learn when each of them settles would cost one more promise per command.
   */
  #pending: SingleSendCommand[] = []
  /** The commands before this index are settled. */
  #start = 0
  /** The length of the list at which settled commands are removed. */
  #mostListed = mostSettled
  #timer: NodeJS.Timeout | undefined
  /** Whether the timer keeps the process alive. The sockets do not: an idle connection must not. */
  #keepsAlive = false

  constructor(timeout: number, onTimeout: (command: SingleSendCommand) => void) {
    this.#timeout = timeout
    this.#onTimeout = onTimeout
  }

  /** Whether no command waits for its reply. */
  get isIdle(): boolean {
    return this.#first() === undefined
  }

  /** Starts the timeout of a command. */
  add(command: SingleSendCommand): void {
    command.timeoutAt = performance.now() + this.#timeout
    // A hung node of a Cluster keeps its command first in the list. Replies of other nodes must not pile up behind it.
    if (this.#pending.push(command) > this.#mostListed) this.#removeSettled()
    if (this.#timer !== undefined && this.#keepsAlive) return
    this.#keepsAlive = true
    if (this.#timer === undefined) this.#timer = this.#startTimer(this.#timeout)
    else this.#timer.ref()
  }

  /** Lets the process end when no command waits. Call it after replies. */
  releaseWhenIdle(): void {
    if (!this.#keepsAlive || !this.isIdle) return
    this.#keepsAlive = false
    this.#timer?.unref()
  }

  /** Resolves when no command waits. */
  async idle(): Promise<void> {
    while (!this.isIdle) await Promise.allSettled(this.#pending.slice(this.#start).map(({ promise }) => promise))
  }

  /** Rejects all commands that wait for a connection. */
  rejectUnsent(error: Error): void {
    for (const command of this.#pending.slice(this.#start)) {
      if (!command.isSettled && !command.wasWritten) command.reject(error)
    }
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #startTimer(ms: number): NodeJS.Timeout {
    const timer = setTimeout(() => this.#check(), Math.max(1, Math.ceil(ms)))
    return this.#keepsAlive ? timer : timer.unref()
  }

  /** The next removal comes only after more commands than are pending now, so each command bears a small part of it. */
  #removeSettled(): void {
    this.#pending = this.#pending.filter((command) => !command.isSettled)
    this.#start = 0
    this.#mostListed = this.#pending.length * 2 + mostSettled
  }

  /** The first pending command. Empties the list when there is none. */
  #first(): SingleSendCommand | undefined {
    const pending = this.#pending
    while (this.#start < pending.length) {
      const command = pending[this.#start] as SingleSendCommand
      if (!command.isSettled) return command
      this.#start += 1
    }
    if (pending.length > 0) this.#pending = []
    this.#start = 0
    this.#mostListed = mostSettled
    return undefined
  }

  #check(): void {
    this.#timer = undefined
    const first = this.#first()
    if (first === undefined) {
      this.#keepsAlive = false
      return
    }
    const now = performance.now()
    if (first.timeoutAt > now) {
      this.#timer = this.#startTimer(first.timeoutAt - now)
      return
    }
    setImmediate(() => setImmediate(() => this.#timeOutUntil(now)))
  }

  #timeOutUntil(now: number): void {
    for (let first = this.#first(); first !== undefined && first.timeoutAt <= now; first = this.#first()) {
      this.#start += 1
      this.#onTimeout(first)
    }
    // A command sent since the check has started the timer for itself, which is too late for the commands before it.
    this.stop()
    const first = this.#first()
    this.#keepsAlive = first !== undefined
    if (first !== undefined) this.#timer = this.#startTimer(first.timeoutAt - performance.now())
  }
}
