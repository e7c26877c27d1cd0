/** The bus. `openBus` is how everything else gets one. */
export type {
  Bus,
  BusMessage,
  BusPosition,
  OutgoingMessage,
  StartPoint,
  SubscribeOptions,
  Subscription,
} from './bus.ts';
export type { EmbeddedOptions } from './embedded.ts';
export { EmbeddedBus } from './embedded.ts';
export type { Topics } from './topics.ts';
export { isCompacted, topicsOf } from './topics.ts';
