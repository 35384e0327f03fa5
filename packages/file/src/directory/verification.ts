/**
 * Milliseconds after which a handle looks at the file `current` again, also within one tick. A handle may look later
 * than another process has replaced the index. So the replacement waits for longer before it lets anyone use the new
 * index, and no read misses a change of the new one.
 */
export const verificationMs = 5
