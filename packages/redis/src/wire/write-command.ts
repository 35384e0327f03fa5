/** An argument of a command. ioredis writes numbers in decimals. */
export type Argument = string | Buffer | number

/**
 * The bytes of a command in the Redis protocol.
 *
 * ioredis makes two pieces per argument and joins them at the end. With hundreds of values in one command, that costs
 * more than the rest of the call.
 */
export function writeCommand(name: string, args: readonly unknown[]): string | Buffer {
  const head = `*${args.length + 1}\r\n$${name.length}\r\n${name}\r\n`
  for (const arg of args) if (typeof arg !== 'string') return writeBytes(head, args)
  let text = head
  for (const arg of args as readonly string[]) text += `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`
  return text
}

/** The most bytes of the dollar sign, the length and both line ends of one argument. */
const framingBytes = 16

function writeBytes(head: string, args: readonly unknown[]): Buffer {
  let most = head.length
  for (const arg of args) most += framingBytes + (typeof arg === 'string' ? arg.length * 3 : (arg as Buffer).length)
  const bytes = Buffer.allocUnsafe(most)
  let at = bytes.write(head, 0, 'latin1')
  for (const arg of args) {
    if (typeof arg === 'string') {
      at += bytes.write(`$${Buffer.byteLength(arg)}\r\n`, at, 'latin1')
      at += bytes.write(arg, at, 'utf8')
    } else {
      const value = arg as Buffer
      at += bytes.write(`$${value.length}\r\n`, at, 'latin1')
      bytes.set(value, at)
      at += value.length
    }
    bytes[at++] = 13
    bytes[at++] = 10
  }
  return bytes.subarray(0, at)
}
