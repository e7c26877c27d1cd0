/** The store: what must survive a restart. The public face of the stage. */
export type { StoreOptions } from './store.ts';
export { messageIdOf, messageTypeOf, openStore } from './store.ts';
export type { BaselineSnapshot, Effect, EffectResult, Position, Store, StoredReport } from './types.ts';
