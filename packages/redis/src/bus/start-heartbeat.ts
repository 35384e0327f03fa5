/** The member of a connection that a heartbeat uses. */
interface SendingConnection {
  send(name: string, args: readonly []): Promise<unknown>
}

/**
 * Sends a PING every `interval` milliseconds, and calls `onFailure` once when a reply fails to arrive. A subscriber
 * only receives, so a silently cut connection (a power failure, a firewall) would look healthy without end. Returns the
 * function that stops the heartbeat.
 */
export function startHeartbeat(connection: SendingConnection, interval: number, onFailure: () => void): () => void {
  const timer = setInterval(() => {
    connection.send('ping', []).catch(() => {
      clearInterval(timer)
      onFailure()
    })
  }, interval)
  timer.unref()
  return () => clearInterval(timer)
}
