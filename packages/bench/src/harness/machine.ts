import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { availableParallelism, cpus } from 'node:os'
import type { Candidate } from './suite.ts'

/** The environment of the figures: processor, Node, and the versions of the compared packages. */
export function machine(candidates: readonly Candidate[]): string {
  const processor = cpus()[0]?.model.trim() ?? 'unknown processor'
  const packages = [...new Set(candidates.flatMap((candidate) => candidate.packages ?? []))].toSorted()
  const versions = packages.map((name) => `${name} ${versionOf(name)}`)
  return [`Node ${process.versions.node}, ${availableParallelism()} × ${processor}`, ...lines(versions)].join('\n')
}

function versionOf(name: string): string {
  const file = findPackageJSON(name, import.meta.url)
  if (file === undefined) return '(not installed)'
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

function lines(versions: readonly string[]): string[] {
  return versions.length === 0 ? [] : [versions.join(', ')]
}
