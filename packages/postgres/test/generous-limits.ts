/** Limits for calls that must succeed: a busy machine must not look like a failure. */
export const generousLimits = { timeout: '30s', connectTimeout: '30s' } as const
