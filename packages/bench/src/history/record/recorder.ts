import { openSync, writeSync } from 'node:fs'
import type { Call, Note, Request } from './call.ts'

/** One line of a log, as JSON. */
export type LogLine =
  | readonly ['start', id: string, at: number, area: string, request: Request]
  | readonly ['note', id: string, at: number, what: Note['what'], value: Note['value']]
  | readonly ['done', id: string, at: number, result: unknown]
  | readonly ['failed', id: string, at: number, error: string]
  | readonly ['stall', at: number, length: number]

/** A call under way, as its client sees it. */
export interface OpenCall {
  note(what: Note['what'], value: Note['value']): void
  done(result: unknown): void
  failed(error: string): void
}

/**
 * Writes the calls of one process to its log. A line is in the file before `begin` returns, so that a killed process
 * leaves every call that it began. The instant of an invocation is taken before the call, and that of a completion
 * after it, so a recorded interval always contains the real one.
 */
export class Recorder {
  readonly process: string
  readonly #file: number
  readonly #origin: bigint
  #count = 0

  /** `origin` is the start of the run by `process.hrtime.bigint`, which all processes of a machine share. */
  constructor(process: string, path: string, origin: bigint) {
    this.process = process
    this.#file = openSync(path, 'a')
    this.#origin = origin
  }

  now(): number {
    return Number(process.hrtime.bigint() - this.#origin)
  }

  begin(area: Call['area'], request: Request): OpenCall {
    this.#count += 1
    const id = `${this.process}.${this.#count}`
    this.#write(['start', id, this.now(), area, request])
    return {
      note: (what, value) => this.#write(['note', id, this.now(), what, value]),
      done: (result) => this.#write(['done', id, this.now(), result]),
      failed: (error) => this.#write(['failed', id, this.now(), error]),
    }
  }

  stall(length: number): void {
    this.#write(['stall', this.now(), length])
  }

  #write(line: LogLine): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`)
  }
}
