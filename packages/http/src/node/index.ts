export { answerNode } from './answer-node.ts'
export { cachedListener, type Listener } from './cached-listener.ts'
