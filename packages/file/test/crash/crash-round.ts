import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Random } from '../random.ts'
import { quickStart } from './quick-start.ts'

/** The allowed states of a key: the last acknowledged one and those of later writes. */
interface Known {
  acknowledged: State
  begun: State[]
}

/** A step of 0 means that the key is absent. */
interface State {
  readonly step: number
  readonly length: number
}

interface Line {
  readonly begin?: string
  readonly done?: string
  readonly step: number
  readonly length: number
}

const absent: State = { step: 0, length: 0 }

/** The reports of all writers of all rounds about one directory. */
export class Journal {
  readonly #keys = new Map<string, Known>()
  increments = { begun: 0, acknowledged: 0 }

  note(line: Line): void {
    if ((line.begin ?? line.done) === 'counter') {
      if (line.begin === undefined) this.increments.acknowledged += 1
      else this.increments.begun += 1
      return
    }
    const known = this.#known((line.begin ?? line.done) as string)
    if (line.begin !== undefined) known.begun.push({ step: line.step, length: line.length })
    else {
      known.acknowledged = known.begun.at(-1) as State
      known.begun = []
    }
  }

  get keys(): readonly string[] {
    return [...this.#keys.keys()]
  }

  /** The fault of that state of the key; `undefined` when it is allowed. An allowed state becomes the acknowledged one. */
  complaint(key: string, found: State | undefined): string | undefined {
    const known = this.#known(key)
    const state = found ?? absent
    const allowed = [known.acknowledged, ...known.begun]
    const settled = allowed.find(({ step, length }) => step === state.step && length === state.length)
    if (settled === undefined) return `${key} is ${JSON.stringify(state)}, allowed are ${JSON.stringify(allowed)}`
    known.acknowledged = settled
    known.begun = []
    return undefined
  }

  #known(key: string): Known {
    let known = this.#keys.get(key)
    if (known === undefined) {
      known = { acknowledged: absent, begun: [] }
      this.#keys.set(key, known)
    }
    return known
  }
}

/**
 * Starts `writers` processes on the directory and kills each after a number of acknowledgements that `random` chooses.
 */
export async function crashRound(
  dir: string,
  journal: Journal,
  random: Random,
  writers: number,
  durability: 'normal' | 'full',
): Promise<void> {
  const env = await quickStart()
  const started = Array.from({ length: writers }, (_, index) => {
    const seed = random.below(2 ** 31)
    const script = new URL('writer.ts', import.meta.url).pathname
    const child = spawn(process.execPath, [script, dir, `w${index}`, String(seed), durability], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env,
    })
    // Now and then so late that the log has been moved into the database meanwhile.
    const acknowledgements = 1 + random.below(random.below(8) === 0 ? 3000 : 120)
    return killAfter(child, acknowledgements, journal)
  })
  await Promise.all(started)
}

async function killAfter(child: ChildProcess, acknowledgements: number, journal: Journal): Promise<void> {
  let seen = 0
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  const ended = once(lines, 'close')
  lines.on('line', (text) => {
    const line = JSON.parse(text) as Line
    journal.note(line)
    if (line.done === undefined) return
    seen += 1
    if (seen === acknowledgements) child.kill('SIGKILL')
  })
  const [code, signal] = (await exited) as [number | null, string | null]
  await ended
  if (signal !== 'SIGKILL') throw new Error(`A writer ended by itself with ${code ?? signal}`)
}
