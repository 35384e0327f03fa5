import type { NodeFunction } from '../hashing/code-hash.ts'
import type { PipelineNode } from './pipeline-node.ts'

/** A dependency of a definition: the node itself, or the name of one that may be defined later. */
export interface Dependency {
  /** The name that the function sees. */
  readonly as: string
  readonly target: PipelineNode | string
}

export interface InputDefinition {
  readonly kind: 'input'
  readonly node: PipelineNode
  readonly dependencies: readonly []
}

/** What a step of a pipeline consists of. */
export interface StepDefinition {
  readonly kind: 'node' | 'map'
  readonly node: PipelineNode
  /** In the order of their names. The source of the items of a map has the name `overName`. */
  readonly dependencies: readonly Dependency[]
  readonly fn: NodeFunction
  readonly version: string | undefined
  /** Milliseconds for which a result may be used. */
  readonly ttl: number
  /** Whether the function gets the elements of its only dependency as its arguments. */
  readonly spreads: boolean
  /** The name of an item in errors. */
  readonly itemName: ((item: unknown) => unknown) | undefined
}

export type Definition = InputDefinition | StepDefinition

/** The dependency of a map whose elements are the items. No name of an application is empty. */
export const overName = ''
