import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

async function parentsFromProc(): Promise<Map<number, number>> {
  const parents = new Map<number, number>()
  const names = await readdir('/proc')
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue
    // A process may end between the listing and the reading.
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
    // The command stands in parentheses and may hold anything, so the fields are counted from its end.
    const parent = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]
    if (parent !== undefined) parents.set(Number(name), Number(parent))
  }
  return parents
}

async function parentsFromPs(): Promise<Map<number, number>> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid='])
  const rows = stdout.trim().split('\n')
  return new Map(rows.map((row) => row.trim().split(/\s+/).map(Number) as [number, number]))
}

/** Resolves to the process ids of `pid` and all its descendants, `pid` first. */
export async function processTree(pid: number): Promise<number[]> {
  const parents = process.platform === 'linux' ? await parentsFromProc() : await parentsFromPs()
  const tree = [pid]
  for (const member of tree) {
    for (const [child, parent] of parents) if (parent === member) tree.push(child)
  }
  return tree
}
