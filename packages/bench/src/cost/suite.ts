import type { Suite } from '../harness/suite.ts'

export const suite: Suite = {
  name: 'cost',
  says: 'what a hit costs.',
  baseline: 'lru-cache',
  rows: [],
  candidates: [],
}
