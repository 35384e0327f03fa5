const rfc9111Age =
  'RFC 9111 section 5.1: an invalid Age is ignored, and the first of several counts. The suite is from before this rule'
const noCount =
  'the proxy answers with 502, and the suite looks for the counter of its origin there. Every proxy fails it'
const notStored = 'the test needs a stored response of a kind that @cache/http refuses to store'

/** Tests of the suite that fail, and why that is right. */
export const exceptions: Readonly<Record<string, string>> = {
  'age-parse-nonnumeric': rfc9111Age,
  'age-parse-negative': rfc9111Age,
  'age-parse-float': rfc9111Age,
  'age-parse-prefix-twoline': rfc9111Age,
  'age-parse-dup-0': rfc9111Age,
  'age-parse-dup-0-twoline': rfc9111Age,
  'age-parse-dup-old': rfc9111Age,
  'age-parse-parameter': rfc9111Age,
  'age-parse-numeric-parameter': rfc9111Age,
  'stale-close-must-revalidate': noCount,
  'stale-close-proxy-revalidate': noCount,
  'stale-close-no-cache': noCount,
  'stale-close-s-maxage=2': noCount,
  'headers-store-Content-Range': notStored,
  'headers-store-Set-Cookie': notStored,
  'partial-use-headers': notStored,
  '304-etag-update-response-Content-Range': notStored,
  '304-etag-update-response-Set-Cookie': notStored,
  '304-etag-update-response-ETag': 'RFC 9111 section 4.3.4: a 304 with another strong entity tag updates nothing',
}
