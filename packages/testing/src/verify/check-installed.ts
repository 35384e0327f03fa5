import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { postgresServer } from '../postgres-server.ts'
import { type FoundServer, redisServer } from '../redis-server.ts'
import type { Tarballs } from './check-tarballs.ts'
import { emptyProject } from './empty-project.ts'
import { type NodeVersion, nodeVersions } from './node-versions.ts'
import { runCommand, tryCommand } from './run-command.ts'
import type { Tally } from './tally.ts'

const scripts = fileURLToPath(new URL('../../smoke/', import.meta.url))

/** What a package is used together with, besides core; every other package is installed with core alone. */
const companions: Readonly<Record<string, readonly string[]>> = {
  '@cache/layered': ['@cache/memory'],
  '@cache/resilient': ['@cache/memory'],
}

async function installNodes(tally: Tally): Promise<NodeVersion[]> {
  const nodes: NodeVersion[] = []
  for (const { version, install } of nodeVersions) {
    await tally.check(`Node ${version} is installed`, async () => {
      nodes.push(await install())
    })
  }
  return nodes
}

/** Each package with core and nothing else that it does not ask for, in a project of its own, on every Node. */
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
          process.stdout.write(
            `  ${(await runCommand(node.file, ['smoke.mjs', name], { cwd: project, env })).trim()}\n`,
          )
        })
      }
    })
  }
}

function numberOf(output: string, what: string): number {
  const match = new RegExp(`^# ${what} (\\d+)$`, 'm').exec(output)
  if (!match) throw new Error(`node --test told no number of tests that ${what}\n${output.slice(-2000)}`)
  return Number(match[1])
}

/** The packed conformance suite under plain `node --test`, with no vitest within reach. */
async function checkConformance(
  tally: Tally,
  directory: string,
  tarballs: Tarballs,
  nodes: readonly NodeVersion[],
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const project = await emptyProject(join(directory, 'conformance'), [...tarballs.keys()], tarballs)
  await copyFile(join(scripts, 'packed-conformance.mjs'), join(project, 'packed-conformance.mjs'))
  for (const { version, file } of nodes) {
    const args = ['--test', '--test-reporter=tap', 'packed-conformance.mjs']
    const { code, output } = await tryCommand(file, args, { cwd: project, env })
    const [passed, failed, skipped] = ['pass', 'fail', 'skipped'].map((what) => numberOf(output, what))
    const summary = `${passed} passed, ${failed} failed, ${skipped} skipped`
    process.stdout.write(`  packed conformance suite on Node ${version}: ${summary}\n`)
    tally.pass(passed)
    if (code !== 0 || failed !== 0 || passed === 0) tally.fail(`packed conformance suite on Node ${version}`, output)
  }
}

/** The packed packages as an application meets them: installed by npm, on every Node that they are for. */
export async function checkInstalled(tally: Tally, directory: string, tarballs: Tarballs): Promise<void> {
  const nodes = await installNodes(tally)
  const servers: FoundServer[] = []
  try {
    const redis = await redisServer()
    servers.push(redis)
    const postgres = await postgresServer()
    servers.push(postgres)
    const env = { REDIS_URL: redis.url, POSTGRES_URL: postgres.url }
    await checkSmoke(tally, directory, tarballs, nodes, env)
    await checkConformance(tally, directory, tarballs, nodes, env)
  } finally {
    for (const server of servers) await server.stop()
  }
}
