import type { MissReason } from '../report/node-report.ts'
import type { NodeParts, NodeRecord } from '../storage/node-record.ts'

interface Latest {
  readonly record: NodeRecord
  readonly isExpired: boolean
}

/** The first difference between a node and its latest result, which another code, environment, input or dependency may have had. */
export function reasonFor(latest: Latest | undefined, parts: NodeParts, nameOf: (as: string) => string): MissReason {
  if (latest === undefined) return 'absent'
  const { record, isExpired } = latest
  if (record.code !== parts.code) return 'code'
  if (record.env !== parts.env) return 'env'
  const input = difference(record.inputs, parts.inputs)
  if (input !== undefined) return `input:${nameOf(input)}`
  const dep = difference(record.deps, parts.deps)
  if (dep !== undefined) return `dep:${nameOf(dep)}`
  return isExpired ? 'expired' : 'absent'
}

/** The first name whose text differs, or that only one of both has. */
function difference(
  before: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): string | undefined {
  return [...Object.keys(now), ...Object.keys(before)].find((name) => before[name] !== now[name])
}
