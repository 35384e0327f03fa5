import type { SingleSendCommand } from './single-send-command.ts'

/**
 * Bounds how long commands wait for their replies: one timer for all of them, because a timer each costs more than the
 * command.
 *
 * A timer may also be late because this process was busy; the replies then lie in the socket, unread. So when a deadline
 * has passed, the event loop reads what is there twice before anything is rejected (without this, 20 of 20 healthy
 * connections were given up after a block; with it, none).
 */
export class Deadlines {
  readonly #timeout: number
  readonly #expire: (command: SingleSendCommand) => void
  /** In the order of their deadlines, because all wait for the same time. */
  readonly #pending = new Set<SingleSendCommand>()
  readonly #idle: (() => void)[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(timeout: number, expire: (command: SingleSendCommand) => void) {
    this.#timeout = timeout
    this.#expire = expire
  }

  get pending(): number {
    return this.#pending.size
  }

  watch(command: SingleSendCommand): void {
    command.deadline = performance.now() + this.#timeout
    this.#pending.add(command)
    this.#timer ??= this.#arm(this.#timeout)
  }

  settled(command: SingleSendCommand): void {
    this.#pending.delete(command)
    if (this.#pending.size > 0) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Resolves when no command waits. */
  async idle(): Promise<void> {
    if (this.#pending.size === 0) return
    await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #arm(ms: number): NodeJS.Timeout {
    // A command in flight keeps the process alive by its socket.
    return setTimeout(() => this.#look(), Math.max(1, Math.ceil(ms))).unref()
  }

  #look(): void {
    this.#timer = undefined
    const [first] = this.#pending
    if (first === undefined) return
    const now = performance.now()
    if (first.deadline > now) {
      this.#timer = this.#arm(first.deadline - now)
      return
    }
    setImmediate(() => setImmediate(() => this.#expireAll(now)))
  }

  #expireAll(now: number): void {
    for (const command of this.#pending) {
      if (command.deadline > now) break
      this.#expire(command)
      this.settled(command)
    }
    const [first] = this.#pending
    if (first !== undefined) this.#timer ??= this.#arm(first.deadline - performance.now())
  }
}
