/** One end of a queue. */
export type QueueSide = 'front' | 'back'

export interface PushOptions {
  /** The end that gets the message. Default `'back'`. */
  readonly side?: QueueSide | undefined
  /** The instant, in milliseconds since 1970, from which no caller gets the message. Default: never. */
  readonly expiresAt?: number | undefined
}

export interface PullOptions {
  /** Milliseconds for which no other caller gets the message. Default 30,000. */
  readonly lease?: number | undefined
  /** The end from which the message is taken. Default `'front'`. */
  readonly side?: QueueSide | undefined
}

/** A message as `peek` shows it. */
export interface Message<Value = unknown> {
  readonly id: number
  readonly value: Value
  readonly pushedAt: number
  /** The number of times that the message was leased. Above 1, an earlier lease ended without `ack`. */
  readonly attempts: number
}

/** A message that this caller alone holds until its lease ends. */
export interface LeasedMessage<Value = unknown> extends Message<Value> {
  readonly leasedUntil: number
  /** Removes the message. Resolves to `false` when the lease has ended: another caller may have the message. */
  ack(): Promise<boolean>
  /** Returns the message to the queue now. Resolves to `false` when the lease has ended. */
  release(): Promise<boolean>
  /** Makes the lease end after that many milliseconds from now. Resolves to `false` when it has ended. */
  extend(lease: number): Promise<boolean>
}
