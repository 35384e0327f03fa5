import { statfs } from 'node:fs/promises'

/** What is known of the file system under a directory. */
export interface FileSystem {
  /** Its name where it is one of the shared ones below. */
  readonly name: string | undefined
  /** `network`: known to be shared over a network. `perhaps`: may be (FUSE carries sshfs and also local disks). */
  readonly kind: 'local' | 'network' | 'perhaps'
}

/** Magic numbers of `statfs(2)`, from Linux's `include/uapi/linux/magic.h` and the file systems' own sources. */
const shared: Readonly<Record<number, { name: string; kind: 'network' | 'perhaps' }>> = {
  26985: { name: 'NFS', kind: 'network' },
  4283649346: { name: 'CIFS', kind: 'network' },
  4266872130: { name: 'SMB 2', kind: 'network' },
  20859: { name: 'SMB', kind: 'network' },
  22092: { name: 'NCP', kind: 'network' },
  1937076805: { name: 'Coda', kind: 'network' },
  1397113167: { name: 'AFS', kind: 'network' },
  1799439955: { name: 'AFS (kAFS)', kind: 'network' },
  12805120: { name: 'Ceph', kind: 'network' },
  198183888: { name: 'Lustre', kind: 'network' },
  1196443219: { name: 'GPFS', kind: 'network' },
  1952539503: { name: 'OCFS2', kind: 'network' },
  18225520: { name: 'GFS2', kind: 'network' },
  16914839: { name: '9P', kind: 'network' },
  1702057286: { name: 'FUSE', kind: 'perhaps' },
}

/** The file system of that type number. */
export function fileSystemOfType(type: number): FileSystem {
  // Some platforms give the 32 bits as a negative number.
  return shared[type >>> 0] ?? { name: undefined, kind: 'local' }
}

/** The file system under a directory; `local` where the platform does not tell. */
export async function fileSystemOf(dir: string): Promise<FileSystem> {
  // The numbers are Linux's: other platforms count differently.
  if (process.platform !== 'linux') return { name: undefined, kind: 'local' }
  const { type } = await statfs(dir)
  return fileSystemOfType(Number(type))
}
