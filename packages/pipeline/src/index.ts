/** Memoized pipelines: steps whose results are kept in any cache, and computed again only when something that they depend on has changed. */
export { type InputDeclaration, type InputDeclarations, type InputValues, input } from './graph/input.ts'
export type {
  AllNeedsOf,
  Dependencies,
  NeedsOf,
  PipelineNode,
  ValueOf,
  ValuesOf,
} from './graph/pipeline-node.ts'
export { hashOf } from './hash-of.ts'
export { type CodeModule, registerCode } from './hashing/built-code.ts'
export type { NodeFunction } from './hashing/code-hash.ts'
export type { CodeHasher } from './hashing/code-hasher.ts'
export { ownHash } from './hashing/own-hash.ts'
export type {
  CollectOptions,
  ExplainOptions,
  MapContext,
  MapOptions,
  NodeContext,
  NodeOptions,
  PipelineCaches,
  PipelineOptions,
  RunOptions,
  StepOptions,
} from './options.ts'
export { Pipeline, pipeline, type RunArguments, type RunResult } from './pipeline.ts'
export type { ItemCounts, MissReason, NodeReport } from './report/node-report.ts'
export { RunReport } from './report/run-report.ts'
export type { NodeExplanation } from './running/explain.ts'
export { NodeError, type NodeErrorDetails } from './running/node-error.ts'
export type { PipelineEventName, PipelineEventPayloads } from './running/pipeline-events.ts'
export type { Progress } from './running/progress.ts'
export type { CollectedBlobs } from './storage/collect-blobs.ts'
