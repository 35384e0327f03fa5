import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { postgresServer } from '../servers/postgres-server.ts'
import { type FoundServer, redisServer } from '../servers/redis-server.ts'
import { checkPackedConformance } from './check-packed-conformance.ts'
import type { Tarballs } from './check-tarballs.ts'
import { emptyProject } from './empty-project.ts'
import type { NodeVersion } from './node-versions.ts'
import { runCommand } from './run-command.ts'
import type { Tally } from './tally.ts'

const scripts = fileURLToPath(new URL('../../smoke/', import.meta.url))

/** The packages installed with a package, besides core. Every other package is installed with core alone. */
const companions: Readonly<Record<string, readonly string[]>> = {
  '@cache/http': ['@cache/memory'],
  '@cache/keyv': ['@cache/memory'],
  '@cache/layered': ['@cache/memory'],
  '@cache/next': ['@cache/memory'],
  '@cache/pipeline': ['@cache/memory'],
  '@cache/resilient': ['@cache/memory'],
  '@cache/sharded': ['@cache/memory'],
}

/** Uses each package in its own project, with core and its own dependencies, on every Node. */
async function checkSmoke(
  tally: Tally,
  directory: string,
  tarballs: Tarballs,
  nodes: readonly NodeVersion[],
  env: Readonly<Record<string, string>>,
): Promise<void> {
  for (const name of tarballs.keys()) {
    const project = join(directory, name.replace('/', '-'))
    await tally.check(`${name} installs into an empty project`, async () => {
      await emptyProject(project, ['@cache/core', name, ...(companions[name] ?? [])], tarballs)
      await copyFile(join(scripts, 'smoke.mjs'), join(project, 'smoke.mjs'))
      for (const node of nodes) {
        await tally.check(`${name} on Node ${node.version}`, async () => {
          tally.note((await runCommand(node.file, ['smoke.mjs', name], { cwd: project, env })).trim())
        })
      }
    })
  }
}

/** Checks the packed packages as an application gets them: installed by npm, on every supported Node. */
export async function checkInstalled(
  tally: Tally,
  directory: string,
  tarballs: Tarballs,
  nodes: readonly NodeVersion[],
): Promise<void> {
  const servers: FoundServer[] = []
  try {
    const redis = await redisServer()
    servers.push(redis)
    const postgres = await postgresServer()
    servers.push(postgres)
    const env = { REDIS_URL: redis.url, POSTGRES_URL: postgres.url }
    await checkSmoke(tally, directory, tarballs, nodes, env)
    await checkPackedConformance(tally, directory, tarballs, nodes, env)
  } finally {
    for (const server of servers) await server.stop()
  }
}
