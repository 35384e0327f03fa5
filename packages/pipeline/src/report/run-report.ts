import type { NodeReport } from './node-report.ts'

/** What a run did, in the order of the pipeline: a node stands behind its dependencies. */
export class RunReport {
  readonly pipeline: string
  readonly nodes: readonly NodeReport[]

  constructor(pipeline: string, nodes: readonly NodeReport[]) {
    this.pipeline = pipeline
    this.nodes = nodes
  }

  get hits(): number {
    return this.nodes.filter(({ result }) => result === 'hit').length
  }

  get misses(): number {
    return this.nodes.length - this.hits
  }

  /** The milliseconds for which the functions of the hits ran when their results were made. */
  get savedMs(): number {
    return this.nodes.reduce((sum, { savedMs }) => sum + savedMs, 0)
  }

  /** One line for each node: `[CACHE] parts: MISS (1.20s, code)`. */
  toText(): string {
    return this.nodes.map(line).join('\n')
  }

  /** A Mermaid flowchart of the nodes and their dependencies. */
  toMermaid(): string {
    const ids = new Map(this.nodes.map(({ node }, index) => [node, `n${index}`]))
    const boxes = this.nodes.map((one) => `  ${ids.get(one.node)}["${label(one)}"]:::${one.result}`)
    const arrows = this.nodes.flatMap(({ node, dependencies }) =>
      dependencies.filter((name) => ids.has(name)).map((name) => `  ${ids.get(name)} --> ${ids.get(node)}`),
    )
    return ['flowchart LR', ...boxes, ...arrows, ...classes].join('\n')
  }
}

const classes = [
  '  classDef hit fill:#d5f5d5,stroke:#2e7d32',
  '  classDef miss fill:#fde0dc,stroke:#c62828',
  '  classDef forced fill:#fff3cd,stroke:#b28704',
]

function line(report: NodeReport): string {
  const details = detailsOf(report)
  const suffix = details.length === 0 ? '' : ` (${details.join(', ')})`
  return `[CACHE] ${report.node}: ${report.result.toUpperCase()}${suffix}`
}

function label(report: NodeReport): string {
  return [report.node, report.result, ...detailsOf(report)].map(quoted).join('<br/>')
}

function detailsOf({ result, reason, ms, savedMs, items }: NodeReport): string[] {
  return [
    ...(result === 'hit' ? [] : [seconds(ms)]),
    ...(reason === undefined ? [] : [reason]),
    ...(items === undefined ? [] : [`${items.computed} of ${items.total} items`]),
    ...(savedMs > 0 ? [`saved ${seconds(savedMs)}`] : []),
  ]
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)}s`
}

const entities: Readonly<Record<string, string>> = { '#': '#35;', '"': '#quot;', '<': '#lt;', '>': '#gt;' }

/** The text with the characters replaced that have a meaning inside of a Mermaid label. */
function quoted(text: string): string {
  return text.replaceAll(/[#"<>]/g, (character) => entities[character] as string)
}
