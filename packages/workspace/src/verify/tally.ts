/** Counts passed and failed checks, and keeps the reason of every failure for the end. */
export class Tally {
  passed = 0
  failed = 0
  readonly failures: { readonly name: string; readonly reason: string }[] = []
  readonly #write: (text: string) => void

  /** Failures are shown through `write` as they happen. Default: standard output. */
  constructor(write: (text: string) => void = (text) => void process.stdout.write(text)) {
    this.#write = write
  }

  pass(count = 1): void {
    this.passed += count
  }

  fail(name: string, reason: string): void {
    this.failed += 1
    this.failures.push({ name, reason })
    this.#write(`  FAILED ${name}\n${indent(lastLines(reason, 60))}\n`)
  }

  /** Prints a line of progress. */
  note(line: string): void {
    this.#write(`  ${line}\n`)
  }

  /** Counts a check that passes when it resolves. */
  async check(name: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
      this.pass()
    } catch (error) {
      this.fail(name, error instanceof Error ? error.message : String(error))
    }
  }
}

function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n')
}

function indent(text: string): string {
  return text.replace(/^/gm, '    ')
}
