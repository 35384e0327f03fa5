/** What a heartbeat needs of a connection. */
interface SendingConnection {
  send(name: string, args: readonly []): Promise<unknown>
}

/**
 * Asks the server from time to time whether it is still there. A subscriber only listens, so that without this a connection
 * that was cut in silence (a power failure, a firewall) would look healthy for ever. `gone` is called at most once.
 */
export function startHeartbeat(connection: SendingConnection, every: number, gone: () => void): () => void {
  const timer = setInterval(() => {
    connection.send('ping', []).catch(() => {
      clearInterval(timer)
      gone()
    })
  }, every)
  timer.unref()
  return () => clearInterval(timer)
}
