/**
 * The name of a method with which an object provides its own hash: a text that is the same for equal objects of its class and different
 * for all others. Instances of classes need it to be inputs or results.
 *
 *     class Model {
 *       [ownHash]() {
 *         return `${this.name}@${this.version}`
 *       }
 *     }
 */
export const ownHash: unique symbol = Symbol.for('@cache/pipeline.ownHash') as never
