import { readFile, stat, statfs } from 'node:fs/promises'

/** The file system of a directory. */
export interface FileSystem {
  /** Its name when it is one of the shared file systems below. */
  readonly name: string | undefined
  /**
   * `network`: shared over a network. `perhaps`: possibly shared, such as FUSE, which carries sshfs and also local
   * disks.
   */
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
  428016422: { name: 'BeeGFS', kind: 'network' },
  2866260714: { name: 'PanFS', kind: 'network' },
  537068840: { name: 'OrangeFS', kind: 'network' },
  3203391149: { name: 'StorNext', kind: 'network' },
  19993000: { name: 'IBRIX', kind: 'network' },
  // Folders that a virtual machine shares with its host. The host ignores the machine's locks.
  2020557398: { name: 'a shared folder of VirtualBox', kind: 'perhaps' },
  3133910204: { name: 'a shared folder of VMware', kind: 'perhaps' },
  2088527475: { name: 'a shared folder of Parallels', kind: 'perhaps' },
  1702057286: { name: 'FUSE', kind: 'perhaps' },
}

/** The mount types of FUSE programs that reach another machine. */
const sharedThroughFuse =
  /^fuse\.(sshfs|s3fs|goofys|gcsfuse|rclone|glusterfs|ceph|juicefs|mfs|lizardfs|davfs2?|smbnetfs|curlftpfs|blobfuse2?)$/

/** The file system with that type number. */
export function fileSystemOfType(type: number): FileSystem {
  // Some platforms return the 32 bits as a negative number.
  return shared[type >>> 0] ?? { name: undefined, kind: 'local' }
}

/** The file system of a directory; `local` on platforms without this information. */
export async function fileSystemOf(dir: string): Promise<FileSystem> {
  // The numbers are those of Linux.
  if (process.platform !== 'linux') return { name: undefined, kind: 'local' }
  const { type } = await statfs(dir)
  const found = fileSystemOfType(Number(type))
  if (found.name !== 'FUSE') return found
  const [{ dev }, mounts] = await Promise.all([stat(dir), readFile('/proc/self/mountinfo', 'utf8').catch(() => '')])
  return fileSystemOfMount(mounts, dev)
}

/** The file system that a FUSE mount of the device names; see proc_pid_mountinfo(5). `statfs` only says FUSE. */
export function fileSystemOfMount(mounts: string, device: number): FileSystem {
  // The encoding of makedev(3), with 32 bits.
  const number = `${(device >>> 8) & 0xfff}:${(device & 0xff) | ((device >>> 12) & 0xfff00)}`
  const mount = mounts.split('\n').find((line) => line.split(' ')[2] === number)
  const type = mount?.split(' - ')[1]?.split(' ')[0] ?? ''
  return sharedThroughFuse.test(type) ? { name: type, kind: 'network' } : { name: 'FUSE', kind: 'perhaps' }
}
