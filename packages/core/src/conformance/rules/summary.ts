/** The result of one rule. All members are plain data, so that `JSON.stringify` keeps them. */
export interface RuleResult {
  /** The number of the rule in CONTRACT.md. */
  readonly id: string
  /** The promise of the rule. */
  readonly says: string
  readonly status: 'kept' | 'broken' | 'skipped'
  /** The message of the failure, or the reason of the skip. */
  readonly reason?: string
  /** The cost of the skip for an application, where it follows from an absent member. */
  readonly cost?: string
}

/** The results of the suite for one harness, in the order of CONTRACT.md. `JSON.stringify` writes it for machines, `summaryText` for people. */
export interface Summary {
  /** The name of the harness. */
  readonly harness: string
  /** Numbers of rules. */
  readonly kept: number
  readonly broken: number
  readonly skipped: number
  readonly rules: readonly RuleResult[]
}

export function summaryOf(harness: string, rules: readonly RuleResult[]): Summary {
  const count = (status: RuleResult['status']): number => rules.filter((rule) => rule.status === status).length
  const ordered = rules.toSorted((one, other) => compareIds(one.id, other.id))
  return { harness, kept: count('kept'), broken: count('broken'), skipped: count('skipped'), rules: ordered }
}

function compareIds(one: string, other: string): number {
  const [chapter = 0, number = 0] = one.split('.').map(Number)
  const [otherChapter = 0, otherNumber = 0] = other.split('.').map(Number)
  return chapter - otherChapter || number - otherNumber
}

/** The summary as text: the counts, then each broken rule with its failure, then each reason of skips with its cost. */
export function summaryText({ harness, kept, broken, skipped, rules }: Summary): string {
  const lines = [`${harness}: ${kept} rules kept, ${broken} broken, ${skipped} skipped`]
  for (const { id, says, status, reason } of rules) {
    if (status !== 'broken') continue
    lines.push(`broken ${id} ${says}`, ...(reason ?? '').split('\n').map((line) => `  ${line}`))
  }
  const skips = new Map<string, string[]>()
  for (const { id, status, reason = '', cost } of rules) {
    if (status !== 'skipped') continue
    const because = cost === undefined ? reason : `${reason} (${cost})`
    skips.set(because, [...(skips.get(because) ?? []), id])
  }
  for (const [because, ids] of skips) lines.push(`skipped ${ids.join(', ')}: ${because}`)
  return lines.join('\n')
}
