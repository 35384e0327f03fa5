declare const types: unique symbol

/**
 * A step of a pipeline, as other steps name it in their dependencies. `Value` is the type of its result, `Needs` are the names of the
 * inputs of a run that it needs, itself or by its dependencies.
 */
export interface PipelineNode<Value = unknown, Needs extends string = string> {
  readonly name: string
  readonly kind: 'input' | 'node' | 'map'
  /** Only the compiler sees this member. */
  readonly [types]?: { readonly value: Value; readonly needs: Needs }
}

/** The dependencies of a node by the names that its function sees: nodes, or names of nodes, which may be defined later. */
export type Dependencies = Readonly<Record<string, PipelineNode | string>>

/** The type of a node's result; `unknown` for a node that is given by its name. */
export type ValueOf<Node> = Node extends { readonly [types]?: { readonly value: infer Value } } ? Value : unknown

/** The names of the inputs that a node needs. */
export type NeedsOf<Node> = Node extends { readonly [types]?: { readonly needs: infer Needs extends string } }
  ? Needs
  : never

/** The results of dependencies, by name. */
export type ValuesOf<Deps extends Dependencies> = { readonly [Name in keyof Deps]: ValueOf<Deps[Name]> }

/** The names of the inputs that dependencies need. */
export type AllNeedsOf<Deps extends Dependencies> = { [Name in keyof Deps]: NeedsOf<Deps[Name]> }[keyof Deps]
