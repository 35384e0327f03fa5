/** For authors of backends: the protocol, and the parts that backends share. */
export {
  checkOptions,
  invalidArgument,
  isList,
  isRecord,
  nonEmptyString,
  oneOf,
  optionalSignal,
  strayArgument,
  trueOrFalse,
  wholeNumber,
  withMethods,
} from '../protocol/argument.ts'
export type {
  BackendEvent,
  BackendPart,
  BackendStats,
  CacheBackend,
  EvictionReason,
  NearReader,
  PartKind,
  PartStatus,
  SyncCacheBackend,
} from '../protocol/backend.ts'
export type { Bus, BusListener, BusMessage } from '../protocol/bus.ts'
export { CacheError, type CacheErrorCode, cacheErrorCode } from '../protocol/cache-error.ts'
export { checkBackend } from '../protocol/check-backend.ts'
export { type Clock, systemClock } from '../protocol/clock.ts'
export type { Codec } from '../protocol/codec.ts'
export { type Duration, milliseconds, timerDelay } from '../protocol/duration.ts'
export type { Item } from '../protocol/item.ts'
export { isRecordKey } from '../protocol/keyspace.ts'
export { newGeneration, rememberValidity, type TagVersions } from '../protocol/tag-versions.ts'
export { createVersion } from '../protocol/version.ts'
export { type Brand, brandOf } from '../values/brand-of.ts'
export { type CanonicalTextOptions, canonicalText } from '../values/canonical-text.ts'
export { hasSymbolMember } from '../values/has-symbol-member.ts'
export { memberPath, type PathStep } from '../values/member-path.ts'
export { refusedClass, refusedPart } from '../values/refused-part.ts'
export { BackoffTimer } from './backoff-timer.ts'
export { type BatchTarget, deleteMany, getMany, setMany } from './batch-fallbacks.ts'
export { checkBusMessage, decodeBusMessage, encodeBusMessage } from './bus-message.ts'
export { BusSubscription, type OpenSource, type SourceEvents } from './bus-subscription.ts'
export { CallsInFlight } from './calls-in-flight.ts'
export {
  checkBusListener,
  checkComparison,
  checkIncrement,
  checkItem,
  checkItems,
  checkKey,
  checkKeys,
  checkListener,
  checkPrefix,
} from './check-call.ts'
export { checkClock } from './check-clock.ts'
export { CloseDeadline } from './close-deadline.ts'
export { CompositeParts } from './composite-parts.ts'
export { describeBackend, openOrClosed } from './describe-backend.ts'
export { EventHub } from './event-hub.ts'
export { type Capabilities, type Capability, forwardCapabilities, reasonForAbsence } from './forward-capabilities.ts'
export { isWellFormed } from './is-well-formed.ts'
export { KeyMutex } from './key-mutex.ts'
export { Lifecycle } from './lifecycle.ts'
export { chain, isPromise, type MaybePromise, promiseOf } from './maybe-promise.ts'
export { callAll, settleAll } from './settle-all.ts'
export { startTimer } from './start-timer.ts'
