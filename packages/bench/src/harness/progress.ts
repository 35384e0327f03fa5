import type { WriteStream } from 'node:tty'

export interface Progress {
  show(done: number, total: number, job: string): void
  end(): void
}

/** Shows how far a run is: one line that is rewritten on a terminal, and a line at each tenth elsewhere. */
export function createProgress(stream: Pick<WriteStream, 'write' | 'isTTY'>, now: () => number = Date.now): Progress {
  const started = now()
  let tenth = -1
  return {
    show(done, total, job) {
      const seconds = (now() - started) / 1000
      const left = done === 0 ? '' : `, about ${Math.ceil((seconds / done) * (total - done))} s left`
      const text = `[${done}/${total}] ${Math.round(seconds)} s${left}  ${job}`
      if (stream.isTTY) {
        stream.write(`\r\x1b[K${text}`)
        return
      }
      const reached = Math.floor((done / total) * 10)
      if (reached === tenth) return
      tenth = reached
      stream.write(`${text}\n`)
    },
    end() {
      if (stream.isTTY) stream.write('\r\x1b[K')
    },
  }
}
