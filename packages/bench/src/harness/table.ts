import type { Failure } from './run-suite.ts'
import type { ResultRow, Row } from './suite.ts'

/** The results as aligned text, one block for each row, best first, failures among them. */
export function table(
  rows: readonly Row[],
  results: readonly ResultRow[],
  failures: readonly Failure[],
  width = 28,
): string {
  const blocks: string[] = []
  for (const row of rows) {
    const sign = row.better === 'lower' ? 1 : -1
    const lines = results
      .filter((result) => result.row === row.name)
      .toSorted((a, b) => sign * (a.value - b.value))
      .map((result) => resultLine(result, width))
    for (const failure of failures.filter((failed) => failed.row === row.name)) {
      lines.push(`  ${failure.candidate.padEnd(width)} failed`)
    }
    if (lines.length === 0) continue
    const baseline = results.find((result) => result.row === row.name)?.baseline ?? row.baseline ?? ''
    blocks.push([`${row.name}  (${row.better} is better; ratio to ${baseline})`, ...lines].join('\n'))
  }
  return blocks.join('\n\n')
}

function resultLine({ candidate, value, unit, spread, ratio }: ResultRow, width: number): string {
  const figure = `${formatFigure(value)} ${unit}`
  return `  ${candidate.padEnd(width)}${figure.padStart(18)}  ±${(spread * 50).toFixed(0).padStart(3)} %${ratio
    .toFixed(2)
    .padStart(10)}×`
}

/** Three significant digits, and no exponent. */
export function formatFigure(value: number): string {
  if (value === 0) return '0'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  const rounded = value.toFixed(Math.min(digits, 6))
  const [whole, fraction] = rounded.split('.') as [string, string | undefined]
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ' ')
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}
