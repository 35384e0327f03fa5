import type { Cluster, Redis } from 'ioredis'
import { ClusterNodes } from '../cluster/cluster-nodes.ts'
import { isSplitSlot } from '../cluster/is-split-slot.ts'
import type { SingleSendCommand } from './single-send-command.ts'

/** The message with which ioredis rejects commands of a connection that ended. */
const connectionClosed = 'Connection is closed.'

/** Replies of a node that did not run the command. The Cluster client of ioredis sends such a command again. */
const notCarriedOut = /^(?:MOVED|ASK|TRYAGAIN|CLUSTERDOWN) /

/** Sends commands to a Cluster: to the node of their key where the client knows it. */
export class ClusterSender {
  readonly #cluster: Cluster
  readonly #nodes: ClusterNodes

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#nodes = new ClusterNodes(cluster)
  }

  send(command: SingleSendCommand): void {
    const { key } = command
    const node = key === undefined ? undefined : this.#nodes.of(key)
    if (node === undefined) sendToCluster(this.#cluster, command)
    else sendToNode(this.#cluster, node, command)
  }
}

/** Lets the client find another node when this one no longer has the slot, or disconnected before the write. */
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
 * ioredis sends a command again after its node disconnects, although the node may have run it. Here a command is sent
 * again only if it never left, or if a node replied that it did not run it.
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
