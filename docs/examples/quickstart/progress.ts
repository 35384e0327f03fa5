/** One line that says how far the work is: rewritten in place on a terminal, now and then elsewhere. */
export class Progress {
  #shown = 0
  #label = ''

  show(label: string, done: number, of: number): void {
    const now = performance.now()
    if (process.stderr.isTTY) {
      if (done < of && now - this.#shown < 50) return
      this.#shown = now
      process.stderr.write(`\r\x1b[K${label}: ${done} of ${of}`)
    } else if (label !== this.#label || now - this.#shown > 5000) {
      this.#label = label
      this.#shown = now
      process.stderr.write(`${label}: ${done} of ${of}\n`)
    }
  }

  clear(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  }
}
