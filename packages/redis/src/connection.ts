import type { Cluster, Redis } from 'ioredis'
import { ClusterNodes, nodeName } from './cluster/cluster-nodes.ts'
import { isSplitSlot } from './cluster/is-split-slot.ts'
import { CommandTimeouts } from './commands/command-timeouts.ts'
import { type ScriptCall, ScriptCommand } from './commands/script.ts'
import { type SendOptions, SingleSendCommand } from './commands/single-send-command.ts'
import { withTimeout } from './commands/with-timeout.ts'
import { errorWithCode, redisError } from './errors.ts'
import type { ResolvedConnectionOptions } from './options.ts'
import { openClient, type RedisClient } from './wire/open-client.ts'
import { readBulkReplies } from './wire/read-bulk-replies.ts'
import type { Argument } from './wire/write-command.ts'

/** What ioredis fails commands with that waited for a connection which ended. */
const connectionClosed = 'Connection is closed.'

/** Replies by which a server says that it did not carry a command out, and that ioredis' Cluster sends again. */
const notCarriedOut = /^(?:MOVED|ASK|TRYAGAIN|CLUSTERDOWN) /

/**
 * A client of Redis or Redis Cluster, ours or the application's, whose every command settles within `timeout`.
 *
 * Replies are bytes (`Buffer`), whole numbers, `null` or lists of these. Failures are the client's own errors: see
 * `redisError`.
 */
export class Connection {
  readonly client: RedisClient
  readonly isCluster: boolean
  readonly timeout: number
  readonly #isOwn: boolean
  readonly #connectTimeout: number
  readonly #timeouts: CommandTimeouts
  readonly #nodes: ClusterNodes | undefined
  readonly #onError: (error: Error) => void
  #lastError: Error | undefined
  /** Set when our own connection is lost, until it is back: commands then fail at once. */
  #lost: Error | undefined
  #handshake: NodeJS.Timeout | undefined

  /** `own`: a client made for this connection, which closes it. Without it, one is opened unless the options hold one. */
  constructor(options: ResolvedConnectionOptions, onError: (error: Error) => void, own?: RedisClient) {
    const client = own ?? options.source.client
    this.#isOwn = own !== undefined || client === undefined
    this.client = client ?? openClient(options)
    this.isCluster = this.client.isCluster
    this.timeout = options.timeout
    this.#nodes = this.isCluster ? new ClusterNodes(this.client as Cluster) : undefined
    this.#connectTimeout = options.connectTimeout
    this.#onError = onError
    this.#timeouts = new CommandTimeouts(options.timeout, (command) => this.#expire(command))
    if (this.#isOwn) this.#watchOwn()
    // Not those of the buses: a subscriber's messages look like replies.
    if (client === undefined && !this.isCluster) this.#readBulkReplies(this.client as Redis)
  }

  /** Whether no command waits for its reply. */
  get isIdle(): boolean {
    return this.#timeouts.isIdle
  }

  /** Sends a command; on a Cluster to the node of its first key. */
  send(name: string, args: readonly Argument[], options?: SendOptions): Promise<unknown> {
    return this.dispatch(new SingleSendCommand(name, args, options))
  }

  /** Sends a command to one of the `masters`. */
  sendTo(master: Redis | undefined, name: string, args: readonly Argument[]): Promise<unknown> {
    return this.dispatch(new SingleSendCommand(name, args), master ?? this.client)
  }

  async run(call: ScriptCall): Promise<unknown> {
    try {
      return await this.dispatch(new ScriptCommand(call))
    } catch (error) {
      // Nothing was carried out: somebody flushed the scripts.
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return await this.dispatch(new ScriptCommand(call, true))
    }
  }

  /**
   * The nodes that hold keys: the masters as the Cluster says now, or one `undefined` for a single server. Rejects while
   * slots belong to a node that is none of them.
   */
  async masters(): Promise<readonly (Redis | undefined)[]> {
    if (!this.isCluster) return [undefined]
    const cluster = this.client as Cluster
    // Any command makes the client connect and wait until it has.
    if (cluster.status !== 'ready') await this.send('exists', ['']).catch(ignoreReply)
    await withTimeout(this.timeout, refreshSlots(cluster))
    const masters = cluster.nodes('master')
    const names = new Set(masters.map(nodeName))
    if (cluster.slots.some(([owner]) => owner === undefined || !names.has(owner))) {
      throw errorWithCode('UNAVAILABLE', 'the Cluster is changing')
    }
    return masters
  }

  /** ioredis fails what waited for a connection with a remark on its own options; the reason is why there was none. */
  reasonOf(error: unknown): unknown {
    const isRemark = error instanceof Error && error.name === 'MaxRetriesPerRequestError'
    return isRemark && this.#lastError !== undefined ? errorWithCode('UNAVAILABLE', this.#lastError.message) : error
  }

  /** Waits for the commands in flight, each of which has its deadline, and closes the client when it is our own. */
  async close(): Promise<void> {
    await this.#timeouts.idle()
    this.#timeouts.stop()
    clearTimeout(this.#handshake)
    if (!this.#isOwn) return
    const nodes = this.isCluster ? (this.client as Cluster).nodes() : [this.client as Redis]
    this.client.disconnect()
    await Promise.all(nodes.map(closeStream))
  }

  /** Sends a command that was made by the caller; on a Cluster to the node of its first key. */
  dispatch(command: SingleSendCommand, to: RedisClient = this.client): Promise<unknown> {
    const { promise } = command
    if (this.#lost !== undefined && to.status !== 'ready') {
      command.reject(this.#lost)
      return promise
    }
    if (!to.isCluster) to.sendCommand(command)
    else this.#sendToCluster(to as Cluster, command)
    command.afterSend()
    // The server works meanwhile.
    this.#timeouts.watch(command)
    return promise
  }

  #sendToCluster(cluster: Cluster, command: SingleSendCommand): void {
    const { key } = command
    const node = key === undefined ? undefined : this.#nodes?.of(key)
    if (node === undefined) sendToCluster(cluster, command)
    else sendToNode(cluster, node, command)
  }

  #expire(command: SingleSendCommand): void {
    const { socket } = command
    if (socket === undefined) {
      // It never left, and will not leave now that it is settled.
      command.reject(errorWithCode('UNAVAILABLE', `no connection within ${this.timeout} ms`))
      return
    }
    command.reject(errorWithCode('TIMEOUT', `no reply to ${command.name.toUpperCase()} within ${this.timeout} ms`))
    // Not a byte since it was written: the peer is gone or frozen, and new commands should not wait for it too.
    if (this.#isOwn && !socket.destroyed && socket.bytesRead === command.receivedBefore) {
      socket.destroy(new Error(`Socket timeout: no reply within ${this.timeout} ms`))
    }
  }

  /** Until it is ready, replies are those to the client's own questions. */
  #readBulkReplies(client: Redis): void {
    client.on('connect', () => readBulkReplies(client.stream, () => client.status === 'ready'))
  }

  #watchOwn(): void {
    const { client } = this
    client.on('error', (error) => {
      this.#lastError = reasonWithin(error)
      this.#onError(error)
    })
    client.on('ready', () => {
      clearTimeout(this.#handshake)
      this.#lost = undefined
      this.#lastError = undefined
    })
    client.on('close', () => {
      clearTimeout(this.#handshake)
      this.#lost ??= errorWithCode('UNAVAILABLE', `no connection: ${this.#lastError?.message ?? 'it was lost'}`)
      // A Cluster's client lets them wait for its next attempt.
      this.#timeouts.rejectUnsent(this.#lost)
    })
    if (this.isCluster) client.on('node error', (error) => this.#onError(error))
    else client.on('connect', () => this.#boundHandshake(client as Redis))
  }

  /** A frozen server accepts connections and never greets; ioredis would wait for it for ever. */
  #boundHandshake(client: Redis): void {
    const { stream } = client
    clearTimeout(this.#handshake)
    this.#handshake = setTimeout(() => {
      if (client.status !== 'connect' || client.stream !== stream || stream.bytesRead > 0) return
      stream.destroy(new Error(`Socket timeout: connected, but no greeting within ${this.#connectTimeout} ms`))
    }, this.#connectTimeout)
    this.#handshake.unref()
  }
}

/** A Cluster's client says that no node could be asked, and within that why not, as far as it knows. */
function reasonWithin(error: Error & { readonly lastNodeError?: Error | undefined }): Error {
  return error.lastNodeError ?? error
}

/** When the node does not have the slot any more, it says so; then, and when its connection ended before, the client finds one. */
function sendToNode(cluster: Cluster, node: Redis, command: SingleSendCommand): void {
  const fail = command.reject
  command.reject = (error) => {
    command.reject = fail
    const isElsewhere = notCarriedOut.test(error.message) && !(command.failsWhenSplit && isSplitSlot(error))
    const neverLeft = !command.wasWritten && error.message === connectionClosed
    if (!isElsewhere && !neverLeft) {
      fail(error)
      return
    }
    command.allowResend()
    sendToCluster(cluster, command)
  }
  node.sendCommand(command)
}

/**
 * ioredis sends a command again when the connection of its node ends, though it may have been carried out. Here only what
 * never left, or what a node said it did not carry out, goes out again.
 */
function sendToCluster(cluster: Cluster, command: SingleSendCommand): void {
  const fail = command.reject
  cluster.sendCommand(command)
  const retry = command.reject
  command.reject = (error) => {
    if (notCarriedOut.test(error.message)) command.allowResend()
    if (command.wasWritten || (command.failsWhenSplit && isSplitSlot(error))) fail(error)
    else retry(error)
  }
}

/** A frozen server does not answer the end of the connection, so it is not waited for. */
async function closeStream({ stream }: Redis): Promise<void> {
  if (stream === undefined || stream.closed) return
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()))
  stream.destroy()
  await closed
}

/** A server that replies, if only to refuse, is there. */
function ignoreReply(error: unknown): void {
  const { code } = redisError(error, 'connect')
  if (code === 'UNAVAILABLE' || code === 'TIMEOUT') throw error
}

function refreshSlots(cluster: Cluster): Promise<void> {
  return new Promise((resolve, reject) => {
    cluster.refreshSlotsCache((error) => (error ? reject(error) : resolve()))
  })
}
