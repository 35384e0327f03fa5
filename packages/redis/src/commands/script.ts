import { createHash } from 'node:crypto'

/** Whether a reply has the form of the replies to a script with this many keys. */
export type ScriptReplyShape = (reply: unknown, keys: number) => boolean

/** A Lua script. Redis runs it as one atomic step. */
export class Script {
  readonly text: string
  readonly sha: string
  readonly accepts: ScriptReplyShape

  constructor(text: string, accepts: ScriptReplyShape) {
    this.text = text.trim()
    this.accepts = accepts
    this.sha = createHash('sha1').update(this.text).digest('hex')
  }
}
