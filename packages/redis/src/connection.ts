import { cacheErrorCode } from '@cache/core/backend'
import type { Cluster, Redis } from 'ioredis'
import { nodeName } from './cluster/cluster-nodes.ts'
import { ClusterSender } from './commands/cluster-sender.ts'
import type { CommandConnection } from './commands/command-connection.ts'
import { CommandTimeouts } from './commands/command-timeouts.ts'
import { type ScriptCall, ScriptCommand } from './commands/script-command.ts'
import { type SendOptions, SingleSendCommand } from './commands/single-send-command.ts'
import { withTimeout } from './commands/with-timeout.ts'
import { errorWithCode, isParserFailure, publicError, redisError } from './errors.ts'
import type { ResolvedConnectionOptions } from './options.ts'
import { openClient, type RedisClient } from './wire/open-client.ts'
import { readBulkReplies } from './wire/read-bulk-replies.ts'
import { releaseProcess } from './wire/release-process.ts'
import type { ReplyShape } from './wire/reply-shapes.ts'
import { Secrets } from './wire/secrets.ts'
import { shareListener } from './wire/share-listener.ts'
import { endFaulty, faultOf, ownSocket, setFault } from './wire/socket-faults.ts'
import { type RefusedStep, watchHandshake } from './wire/watch-handshake.ts'
import type { Argument } from './wire/write-command.ts'

/** The message with which ioredis rejects commands of a connection that ended for good. */
const connectionClosed = 'Connection is closed.'
/** States of a client of ioredis that has lost its connection. */
const lostStates: ReadonlySet<string> = new Set(['reconnecting', 'close', 'end', 'disconnecting'])

/**
 * A client of Redis or Redis Cluster, opened here or injected. Each of its commands settles within `timeout`.
 *
 * Replies are bytes (`Buffer`), whole numbers, `null`, or lists of these. Commands reject with the errors of the
 * client, which `redisError` turns into a `CacheError`.
 */
export class Connection implements CommandConnection {
  readonly client: RedisClient
  readonly isCluster: boolean
  readonly timeout: number
  readonly #isOwn: boolean
  readonly #connectTimeout: number
  readonly #timeouts: CommandTimeouts
  readonly #cluster: ClusterSender | undefined
  readonly #onError: (error: Error) => void
  readonly #secrets: Secrets
  readonly #unwatch: (() => void)[] = []
  #lastError: Error | undefined
  /** Errors for the replies with which Redis refused a step of the handshake. ioredis rejects some commands with these. */
  readonly #refusals: WeakMap<Error, Error> = new WeakMap()
  /** Set while our own client has lost its connection. Commands then fail at once. */
  #lost: Error | undefined
  /** Commands that wait for the end of a connection whose replies had no meaning. The next connection carries them. */
  #held: SingleSendCommand[] | undefined
  #handshakeTimer: NodeJS.Timeout | undefined

  /** `own` is a client that this connection closes. Without it, the options contain a client, or one is opened. */
  constructor(options: ResolvedConnectionOptions, onError: (error: Error) => void, own?: RedisClient) {
    const client = own ?? options.source.client
    this.#isOwn = own !== undefined || client === undefined
    this.client = client ?? openClient(options)
    this.isCluster = this.client.isCluster
    this.timeout = options.timeout
    this.#secrets = new Secrets([options.source.url, options.source.options, options.source.cluster, client?.options])
    this.#cluster = this.isCluster ? new ClusterSender(this.client as Cluster) : undefined
    this.#connectTimeout = options.connectTimeout
    this.#onError = onError
    this.#timeouts = new CommandTimeouts(options.timeout, (command) => this.#timeOut(command))
    if (typeof this.client.sendCommand !== 'function') {
      this.#lost = errorWithCode('UNSUPPORTED', 'the client cannot send commands, as that of ioredis-mock')
    }
    if (this.#isOwn) this.#watchOwnClient()
    this.#watchHandshakes()
    // The clients of the buses are left out: the messages of a subscriber look like replies.
    if (client === undefined && !this.isCluster) this.#readBulkReplies(this.client as Redis)
    if (this.#isOwn) this.#releaseProcess()
  }

  /** Whether no command waits for its reply. */
  get isIdle(): boolean {
    return this.#timeouts.isIdle
  }

  /** Why there is no connection; `undefined` where there is one, or none was tried. */
  get lostReason(): string | undefined {
    const { status } = this.client
    if (status === 'ready') return undefined
    if (this.#lost !== undefined) return this.#lost.message
    return lostStates.has(status) ? `no connection: the client is in the state '${status}'` : undefined
  }

  /** Sends a command. On a Cluster it goes to the node of its first key. */
  send(name: string, args: readonly Argument[], options?: SendOptions): Promise<unknown> {
    return this.dispatch(new SingleSendCommand(name, args, options))
  }

  /** Sends a command to one of the `masters`. */
  sendTo(master: Redis | undefined, name: string, args: readonly Argument[], shape: ReplyShape): Promise<unknown> {
    return this.dispatch(new SingleSendCommand(name, args, { shape }), master ?? this.client)
  }

  async run(call: ScriptCall): Promise<unknown> {
    try {
      return await this.dispatch(new ScriptCommand(call))
    } catch (error) {
      // The server ran nothing, because another program flushed the scripts.
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return await this.dispatch(new ScriptCommand(call, true))
    }
  }

  /**
   * The nodes that hold keys: the current masters of a Cluster, or one `undefined` for a single server. Rejects while a
   * slot belongs to a node that is not among the masters.
   */
  async masters(): Promise<readonly (Redis | undefined)[]> {
    if (!this.isCluster) return [undefined]
    const cluster = this.client as Cluster
    // Any command makes the client connect, and waits for the connection.
    if (cluster.status !== 'ready') await this.send('exists', ['']).catch(ignoreReply)
    await withTimeout(this.timeout, refreshSlots(cluster))
    const masters = cluster.nodes('master')
    const names = new Set(masters.map(nodeName))
    if (cluster.slots.some(([owner]) => owner === undefined || !names.has(owner))) {
      throw errorWithCode('UNAVAILABLE', 'the Cluster is changing')
    }
    return masters
  }

  /**
   * The reason for an error, without secrets: ioredis rejects commands that waited for a connection with a hint about its
   * own options.
   */
  reasonOf(error: unknown): unknown {
    if (cacheErrorCode(error) !== undefined) return error
    if (!(error instanceof Error)) return publicError(error, this.#secrets.hide)
    const isHint = error.name === 'MaxRetriesPerRequestError' || error.message === connectionClosed
    if (isHint && this.#lastError !== undefined) return errorWithCode('UNAVAILABLE', this.#lastError.message)
    return this.#refusals.get(error) ?? publicError(error, this.#secrets.hide)
  }

  /** Waits for the commands in flight, each of which has its timeout, and closes the client unless it was injected. */
  async close(): Promise<void> {
    await this.#timeouts.idle()
    this.#timeouts.stop()
    clearTimeout(this.#handshakeTimer)
    for (const unwatch of this.#unwatch) unwatch()
    if (!this.#isOwn) return
    const nodes = this.isCluster ? (this.client as Cluster).nodes() : [this.client as Redis]
    this.client.disconnect()
    await Promise.all(nodes.map(closeStream))
  }

  /** Sends a command object. On a Cluster it goes to the node of its first key. */
  dispatch(command: SingleSendCommand, to: RedisClient = this.client): Promise<unknown> {
    const { promise } = command
    if (this.#lost !== undefined && to.status !== 'ready') {
      command.reject(this.#lost)
      return promise
    }
    if (this.#held !== undefined && to === this.client) {
      this.#held.push(command)
      this.#timeouts.add(command)
      return promise
    }
    if (this.#cluster === undefined || !to.isCluster) to.sendCommand(command)
    else this.#cluster.send(command)
    command.afterSend()
    // The timeout starts after the write, so that the server works meanwhile.
    this.#timeouts.add(command)
    return promise
  }

  #timeOut(command: SingleSendCommand): void {
    const { socket } = command
    if (socket === undefined) {
      // A rejected command never leaves later.
      command.reject(errorWithCode('UNAVAILABLE', `no connection within ${this.timeout} ms`))
      return
    }
    command.reject(errorWithCode('TIMEOUT', `no reply to ${command.name.toUpperCase()} within ${this.timeout} ms`))
    // No byte has arrived since the write: the server is gone or frozen, and later commands must not wait for it too.
    if (this.#isOwn && !socket.destroyed && socket.bytesRead === command.receivedBefore) {
      socket.destroy(new Error(`Socket timeout: no reply within ${this.timeout} ms`))
    }
  }

  /** Before the client is ready, replies answer its own commands. */
  #readBulkReplies(client: Redis): void {
    client.on('connect', () => {
      const { stream } = client
      readBulkReplies(stream, () => client.status === 'ready', {
        waiting: () => waitingCommands(client),
        onViolation: (error) => endFaulty(stream, error),
      })
    })
  }

  /** An open connection keeps the process alive only while a command waits for its reply. */
  #releaseProcess(): void {
    const release = (): void => this.#timeouts.releaseWhenIdle()
    const watch = (client: Redis): void => {
      // After the listener of ioredis, which settles the commands.
      client.on('connect', () => client.stream.on('data', release))
      client.on('close', release)
    }
    releaseProcess(this.client)
    if (this.isCluster) this.client.on('+node', watch)
    else watch(this.client as Redis)
  }

  /** A connection on which Redis refused a step of the handshake carries no command. */
  #watchHandshakes(): void {
    const refuse = (refused: RefusedStep): void => this.#refuse(refused)
    if (!this.isCluster) {
      this.#unwatch.push(watchHandshake(this.client as Redis, refuse))
      return
    }
    const watch = (node: Redis): void => {
      if (this.#isOwn) node.on('connect', () => ownSocket(node.stream, () => {}))
      this.#unwatch.push(watchHandshake(node, refuse))
    }
    const cluster = this.client as Cluster
    // A client of the application may know its nodes already.
    for (const node of cluster.nodes()) watch(node)
    this.#unwatch.push(shareListener(cluster, '+node', watch))
  }

  #refuse({ socket, step, reason }: RefusedStep): void {
    const { message } = publicError(reason, this.#secrets.hide)
    const error = errorWithCode('UNAVAILABLE', `the server refused ${step}: ${message}`)
    setFault(socket, error)
    this.#refusals.set(reason, error)
    // The client then connects again, after a pause that grows.
    if (this.#isOwn) socket.destroy(error)
  }

  /** The connection ends because its replies have no meaning. Later commands wait for the next connection. */
  #replaceConnection(): void {
    if (!this.isCluster) this.#held = []
  }

  /** Sends the commands that waited for the end of a connection. Returns whether there was such an end. */
  #sendHeld(): boolean {
    const held = this.#held
    if (held === undefined) return false
    this.#held = undefined
    for (const command of held) if (!command.isSettled) this.client.sendCommand(command)
    return true
  }

  #watchOwnClient(): void {
    const { client } = this
    client.on('error', (error) => {
      // The parser of ioredis gave up, and ioredis ends the connection.
      if (!client.isCluster && isParserFailure(error)) endFaulty((client as Redis).stream, error)
      this.#lastError = publicError(nodeErrorOf(error), this.#secrets.hide)
      this.#onError(publicError(error, this.#secrets.hide))
    })
    client.on('ready', () => {
      // The connection may have ended since the event was planned.
      if (client.status !== 'ready' || (!client.isCluster && faultOf((client as Redis).stream) !== undefined)) return
      clearTimeout(this.#handshakeTimer)
      this.#lost = undefined
      this.#lastError = undefined
    })
    client.on('close', () => {
      clearTimeout(this.#handshakeTimer)
      if (this.#sendHeld()) return
      if (this.#lost === undefined || this.#lastError !== undefined) {
        this.#lost = errorWithCode('UNAVAILABLE', `no connection: ${this.#lastError?.message ?? 'it was lost'}`)
      }
      // The client of a Cluster keeps these commands for its next attempt to connect.
      this.#timeouts.rejectUnsent(this.#lost)
    })
    if (this.isCluster) {
      client.on('node error', (error) => this.#onError(publicError(error, this.#secrets.hide)))
      return
    }
    client.on('connect', () => {
      ownSocket((client as Redis).stream, () => this.#replaceConnection())
      this.#limitHandshake(client as Redis)
    })
  }

  /** A frozen server accepts a connection and sends no greeting. ioredis would wait for the greeting without end. */
  #limitHandshake(client: Redis): void {
    const { stream } = client
    clearTimeout(this.#handshakeTimer)
    this.#handshakeTimer = setTimeout(() => {
      if (client.status !== 'connect' || client.stream !== stream || stream.bytesRead > 0) return
      stream.destroy(new Error(`Socket timeout: connected, but no greeting within ${this.#connectTimeout} ms`))
    }, this.#connectTimeout)
    this.#handshakeTimer.unref()
  }
}

/** How many commands of a client wait for their replies. ioredis does not export its queue. */
function waitingCommands(client: Redis): number {
  return (client as unknown as { readonly commandQueue: { readonly length: number } }).commandQueue.length
}

/** The error of the node that failed last, where the client of a Cluster knows it; otherwise the error itself. */
function nodeErrorOf(error: Error & { readonly lastNodeError?: Error | undefined }): Error {
  return error.lastNodeError ?? error
}

/** Destroys the socket: a frozen server never confirms the end of a connection. */
async function closeStream({ stream }: Redis): Promise<void> {
  if (stream === undefined || stream.closed) return
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()))
  stream.destroy()
  await closed
}

/** Accepts any reply: a server that refuses a command is reachable too. */
function ignoreReply(error: unknown): void {
  const { code } = redisError(error, 'connect')
  if (code === 'UNAVAILABLE' || code === 'TIMEOUT') throw error
}

function refreshSlots(cluster: Cluster): Promise<void> {
  return new Promise((resolve, reject) => {
    cluster.refreshSlotsCache((error) => (error ? reject(error) : resolve()))
  })
}
