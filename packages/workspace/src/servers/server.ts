/** A real server that runs for the tests. Every method resolves once the server is in the state that its name says. */
export interface Server {
  readonly url: string
  readonly host: string
  readonly port: number
  /** The process id of the server; it changes with `restart()`. */
  readonly pid: number
  /** The folder that the server runs in: data, sockets, log. Removed by `stop()`. */
  readonly directory: string
  /** Ends the server in good order and removes its folder. Without effect when it has been stopped. */
  stop(): Promise<void>
  /** Ends the server and its children at once (SIGKILL); the folder stays, for `restart()`. */
  kill(): Promise<void>
  /** Stops the server and its children from running (SIGSTOP): connections stay open and nothing answers. */
  freeze(): Promise<void>
  /** Lets a frozen server run on (SIGCONT). */
  thaw(): Promise<void>
  /** Starts the server again on the same port and folder; a server that still runs is ended in good order first. */
  restart(): Promise<void>
  /** The contents of the server's log. */
  log(): Promise<string>
  [Symbol.asyncDispose](): Promise<void>
}
