import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { RcaError } from '../model/errors.ts';
import type { Store } from '../store/index.ts';
import { openStore } from '../store/index.ts';
import { engineFlags } from './engine.ts';
import { configFrom } from './options.ts';

interface DeliveriesOptions {
  readonly config?: string;
  readonly database?: string;
  readonly limit: number;
  readonly redeliver?: number;
  readonly enable?: string;
}

export function deliveriesCommand(): Command {
  return new Command('deliveries')
    .description('Lists webhook deliveries, newest first; sends one again; enables a receiver that said 410 Gone.')
    .option('-c, --config <file>', 'configuration file')
    .option('--database <file>', 'SQLite file of the engine')
    .option('--limit <n>', 'how many to list', positive, 20)
    .option('--redeliver <id>', 'make this delivery due again; the running engine sends it', positive)
    .option('--enable <receiver>', 'send to this receiver again')
    .addHelpText('after', '\nExample:\n  rootwalk deliveries --redeliver 17')
    .action((options: DeliveriesOptions) => {
      const config = configFrom(options.config === undefined ? {} : { config: options.config }, {
        engine: engineFlags(options),
      });
      const path = config.engine.database;
      if (!existsSync(path))
        throw new RcaError('RCA_STORE', `no database at ${path}. Mend: --database, or --config of the engine`);
      const store = openStore(path);
      try {
        if (options.redeliver !== undefined) redeliver(store, options.redeliver);
        else if (options.enable !== undefined) enable(store, options.enable);
        else list(store, options.limit);
      } finally {
        store.close();
      }
    });
}

function redeliver(store: Store, id: number): void {
  if (!store.redeliver(id, Date.now()))
    throw new RcaError('RCA_DELIVERY', `no delivery ${id}; "rootwalk deliveries" lists them`);
  console.log(`delivery ${id} is due again`);
}

function enable(store: Store, receiver: string): void {
  const disabled = [...store.disabledReceivers().keys()];
  if (!disabled.includes(receiver))
    throw new RcaError('RCA_DELIVERY', `${receiver} is not disabled; disabled: ${disabled.join(', ') || 'none'}`);
  store.enableReceiver(receiver);
  console.log(`${receiver} is enabled`);
}

function list(store: Store, limit: number): void {
  const deliveries = store.deliveries({ limit });
  if (deliveries.length === 0) console.log('no deliveries yet');
  else
    console.table(
      deliveries.map(({ id, messageId, receiver, state, attempts, lastStatus, lastError, nextAttemptMs }) => ({
        id,
        message: messageId,
        receiver,
        state,
        attempts,
        status: lastStatus ?? '',
        error: lastError ?? '',
        next: state === 'pending' ? new Date(nextAttemptMs).toISOString() : '',
      })),
    );
  for (const [receiver, reason] of store.disabledReceivers())
    console.log(`${receiver} is disabled (${reason}): rootwalk deliveries --enable ${receiver}`);
}

function positive(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('expected a whole number, 1 or more');
  return Number(text);
}
