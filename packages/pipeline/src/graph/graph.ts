import { CacheError } from '@cache/core'
import { invalidArgument } from '@cache/core/backend'
import type { Definition, Dependency } from './definition.ts'
import type { PipelineNode } from './pipeline-node.ts'

/** A definition with the definitions that it depends on. */
export interface PlannedDefinition {
  readonly definition: Definition
  readonly dependencies: readonly { readonly as: string; readonly definition: Definition }[]
}

/** The nodes of one pipeline. */
export class Graph {
  readonly #pipeline: string
  readonly #definitions = new Map<string, Definition>()

  constructor(pipeline: string) {
    this.#pipeline = pipeline
  }

  /** Throws `INVALID_ARGUMENT` for a second node of one name, and for a dependency on a node of another pipeline. */
  add(definition: Definition, operation: string): void {
    const { name } = definition.node
    if (this.#definitions.has(name)) {
      const message = `${operation}: the pipeline '${this.#pipeline}' already has a node '${name}'; give each node a name of its own`
      throw new CacheError('INVALID_ARGUMENT', message, { operation })
    }
    for (const { target } of definition.dependencies)
      if (typeof target !== 'string') this.#find(target, name, operation)
    this.#definitions.set(name, definition)
  }

  /**
   * The node and everything that it depends on; each definition stands behind its dependencies. Throws `INVALID_ARGUMENT` for a node of
   * another pipeline, for a dependency on an unknown name, and for nodes that depend on each other.
   */
  plan(target: PipelineNode, operation: string): readonly PlannedDefinition[] {
    const planned: PlannedDefinition[] = []
    const done = new Set<Definition>()
    const open: Visit[] = [this.#visit(this.#find(target, undefined, operation), operation)]
    while (open.length > 0) {
      const visit = open.at(-1) as Visit
      const { definition } = visit
      const next = visit.dependencies[visit.seen]
      visit.seen += 1
      if (next === undefined) {
        open.pop()
        done.add(definition)
        planned.push({ definition, dependencies: visit.dependencies })
        continue
      }
      if (done.has(next.definition)) continue
      const start = open.findIndex((other) => other.definition === next.definition)
      if (start >= 0) throw cycle([...open.slice(start), visit], operation)
      open.push(this.#visit(next.definition, operation))
    }
    return planned
  }

  #visit(definition: Definition, operation: string): Visit {
    const dependencies = definition.dependencies.map(({ as, target }: Dependency) => {
      return { as, definition: this.#find(target, definition.node.name, operation) }
    })
    return { definition, dependencies, seen: 0 }
  }

  #find(target: PipelineNode | string, dependent: string | undefined, operation: string): Definition {
    if (typeof target !== 'string' && (typeof target !== 'object' || target === null))
      throw invalidArgument('a node', target, 'a node of this pipeline', operation)
    const name = typeof target === 'string' ? target : target.name
    const definition = this.#definitions.get(name)
    if (definition !== undefined && (typeof target === 'string' || definition.node === target)) return definition
    const where = dependent === undefined ? '' : `node '${dependent}' depends on '${name}', but `
    const known = [...this.#definitions.keys()].join(', ')
    const message = `${operation}: ${where}the pipeline '${this.#pipeline}' has no such node '${name}'; its nodes are ${known}`
    throw new CacheError('INVALID_ARGUMENT', message, { operation })
  }
}

interface Visit extends PlannedDefinition {
  /** How many of the dependencies were visited. */
  seen: number
}

function cycle(visits: readonly Visit[], operation: string): CacheError {
  const names = visits.map(({ definition }) => definition.node.name)
  // The last visit closes the circle: it depends on the first one.
  const path = [...names.slice(0, -1), names[0]].join(' → ')
  const message = `${operation}: nodes depend on each other: ${path}; remove one of these dependencies`
  return new CacheError('INVALID_ARGUMENT', message, { operation })
}
