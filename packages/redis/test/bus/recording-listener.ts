import type { BusListener, BusMessage } from '@cache/core/backend'

/** A listener that keeps all that it receives. */
export class RecordingListener implements BusListener {
  readonly messages: BusMessage[] = []
  readonly states: string[] = []
  readonly errors: Error[] = []

  message(message: BusMessage): void {
    this.messages.push(message)
  }

  disconnected(): void {
    this.states.push('disconnected')
  }

  connected(): void {
    this.states.push('connected')
  }

  error(error: Error): void {
    this.errors.push(error)
  }
}
