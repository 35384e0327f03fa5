import { type NodeVersion, nodeVersions } from './node-versions.ts'
import type { Tally } from './tally.ts'

/** Resolves to every supported Node that could be installed. */
export async function installNodes(tally: Tally): Promise<NodeVersion[]> {
  const nodes: NodeVersion[] = []
  for (const { version, install } of nodeVersions) {
    await tally.check(`Node ${version} is installed`, async () => {
      nodes.push(await install())
    })
  }
  return nodes
}
