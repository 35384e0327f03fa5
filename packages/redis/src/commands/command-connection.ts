import type { ScriptCall } from './script-command.ts'
import type { SingleSendCommand } from './single-send-command.ts'

/** The members of a connection that run scripts. */
export interface ScriptConnection {
  readonly isCluster: boolean
  run(call: ScriptCall): Promise<unknown>
}

/** The members of a connection that run scripts and commands. */
export interface CommandConnection extends ScriptConnection {
  dispatch(command: SingleSendCommand): Promise<unknown>
}
