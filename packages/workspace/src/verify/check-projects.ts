import { cp, readdir, readFile, symlink } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Tarballs } from './check-tarballs.ts'
import { emptyProject } from './empty-project.ts'
import { installTools } from './install-tools.ts'
import type { NodeVersion } from './node-versions.ts'
import { runCommand } from './run-command.ts'
import { runInParallel } from './run-in-parallel.ts'
import type { Tally } from './tally.ts'

const sources = fileURLToPath(new URL('../../projects/', import.meta.url))

/** The `package.json` of a small project: an application as a user of the packages has it. */
interface ProjectManifest {
  readonly scripts: { readonly test: string }
  readonly devDependencies?: Readonly<Record<string, string>>
  /** Whether it runs on every Node; otherwise only on that of this program. */
  readonly everyNode?: boolean
}

interface Project {
  readonly name: string
  readonly manifest: ProjectManifest
}

/** Resolves to the projects in `packages/workspace/projects`, by name. */
export async function readProjects(): Promise<Project[]> {
  const entries = await readdir(sources, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  return await Promise.all(
    names.sort().map(async (name) => {
      return { name, manifest: JSON.parse(await readFile(join(sources, name, 'package.json'), 'utf8')) }
    }),
  )
}

/** All tools of the projects, by name. Throws when two projects want different versions of one. */
export function toolsOf(projects: readonly Project[]): Record<string, string> {
  const tools: Record<string, string> = {}
  for (const { name, manifest } of projects) {
    for (const [tool, version] of Object.entries(manifest.devDependencies ?? {})) {
      const other = tools[tool] ?? version
      if (other !== version) throw new Error(`${name} wants ${tool} ${version}, and another project ${other}`)
      tools[tool] = version
    }
  }
  return tools
}

/**
 * Builds and runs each project of `packages/workspace/projects` with the packed packages and its own tools. The projects
 * lie side by side in `apps`. They find the tools in `apps/node_modules`, and the packages one folder above.
 */
export async function checkProjects(
  tally: Tally,
  directory: string,
  tarballs: Tarballs,
  nodes: readonly NodeVersion[],
): Promise<void> {
  const projects = await readProjects()
  const apps = join(directory, 'projects', 'apps')
  let tools = ''
  await tally.check('the tools and the packages of the projects are installed', async () => {
    tools = await installTools(toolsOf(projects))
    await emptyProject(join(directory, 'projects'), [...tarballs.keys()], tarballs)
    await cp(sources, apps, { recursive: true })
    await symlink(tools, join(apps, 'node_modules'))
  })
  const own = nodes.filter(({ version }) => version === process.versions.node)
  const runs = projects.flatMap(({ name, manifest }) =>
    (manifest.everyNode === true ? nodes : own).map((node) => async () => {
      const path = [join(tools, '.bin'), dirname(node.file), process.env.PATH ?? ''].join(delimiter)
      await tally.check(`project ${name} on Node ${node.version}`, async () => {
        const started = performance.now()
        const env = { PATH: path, NEXT_TELEMETRY_DISABLED: '1', DENO_NO_UPDATE_CHECK: '1' }
        await runCommand('sh', ['-c', manifest.scripts.test], { cwd: join(apps, name), env })
        tally.note(`project ${name} on Node ${node.version}: ${((performance.now() - started) / 1000).toFixed(1)} s`)
      })
    }),
  )
  await runInParallel(runs, 2)
}
