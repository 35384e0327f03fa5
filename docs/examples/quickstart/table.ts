/** One pass over all items: milliseconds for each, and how many were answered by the cache. */
export interface Round {
  readonly times: readonly number[]
  readonly hits: number
}

export interface Row {
  readonly name: string
  readonly cold: Figures
  readonly warm: Figures
  /** How many times the median of a warm answer goes into the median without a cache. */
  readonly speedUp: number
}

interface Figures {
  readonly median: number
  readonly p99: number
  readonly hits: number
  readonly hitRate: number
}

const title = ['backend', 'cold median', 'cold p99', 'cold hits', 'warm median', 'warm p99', 'warm hits', 'speed-up']

export function summarise(name: string, uncached: readonly number[], [cold, warm]: readonly Round[]): Row {
  if (cold === undefined || warm === undefined) throw new Error('two rounds are needed')
  return { name, cold: figures(cold), warm: figures(warm), speedUp: at(uncached, 0.5) / at(warm.times, 0.5) }
}

export function formatTable(uncached: readonly number[], rows: readonly Row[]): string {
  const none = ['(none)', ms(at(uncached, 0.5)), ms(at(uncached, 0.99)), '', '', '', '', '1×']
  const lines = [
    title,
    none,
    ...rows.map(({ name, cold, warm, speedUp }) => [name, ...cells(cold), ...cells(warm), times(speedUp)]),
  ]
  const widths = title.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  const padded = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)
  return lines.map((line) => line.map(padded).join('  ')).join('\n')
}

function figures({ times, hits }: Round): Figures {
  return { median: at(times, 0.5), p99: at(times, 0.99), hits, hitRate: hits / times.length }
}

/** The time that this share of the items did not exceed. */
function at(times: readonly number[], share: number): number {
  const sorted = times.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

function cells({ median, p99, hitRate }: Figures): string[] {
  return [ms(median), ms(p99), `${(100 * hitRate).toFixed(0)} %`]
}

function ms(time: number): string {
  return `${time < 1 ? time.toFixed(4) : time.toFixed(1)} ms`
}

function times(speedUp: number): string {
  return `${speedUp < 10 ? speedUp.toFixed(1) : Math.round(speedUp)}×`
}
