/** The source of a streamed value: a Node or web stream of bytes, the stream of a file handle, or any generator. */
export type ByteSource = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>
