import { createHash } from 'node:crypto'

/** A Lua script. Redis runs it as one atomic step. */
export class Script {
  readonly text: string
  readonly sha: string

  constructor(text: string) {
    this.text = text.trim()
    this.sha = createHash('sha1').update(this.text).digest('hex')
  }
}
