import type { Context, MiddlewareHandler } from 'hono'
import type { HttpCache } from '../http-cache.ts'

export interface HonoCacheOptions {
  /**
   * The `fetch` of the application, which renews stale responses. Without it `stale-while-revalidate` waits for the validation.
   * Default: none.
   */
  readonly renew?: ((request: Request, env: unknown) => Response | Promise<Response>) | undefined
}

/** Middleware for Hono 4 that answers from the cache. */
export function honoCache(cache: HttpCache, options: HonoCacheOptions = {}): MiddlewareHandler {
  const renewals = new WeakSet<Request>()
  return async (context, next) => {
    const given = context.req.raw
    if (renewals.has(given)) return await next()
    const response = await cache.fetch(
      given,
      async (request, call) => {
        if (call.isBackground) {
          renewals.add(request)
          return await (options.renew as NonNullable<HonoCacheOptions['renew']>)(request, context.env)
        }
        context.req.raw = request
        await next()
        return context.res
      },
      { canRenew: options.renew !== undefined },
    )
    replace(context, response)
  }
}

/** Assigning a response adds the fields of the earlier one to it, so that one is removed first. */
function replace(context: Context, response: Response): void {
  context.res = undefined
  context.res = response
}
