import { Command } from 'commander';
import { RcaError } from '../model/errors.ts';
import { openStore } from '../store/index.ts';
import { engineFlags } from './engine.ts';
import { configFrom } from './options.ts';

interface DeliveriesOptions {
  readonly config?: string;
  readonly database?: string;
  readonly limit: string;
  readonly redeliver?: string;
  readonly enable?: string;
}

export function deliveriesCommand(): Command {
  return new Command('deliveries')
    .description('Lists webhook deliveries, newest first; sends one again; enables a receiver that said 410 Gone.')
    .option('-c, --config <file>', 'configuration file')
    .option('--database <file>', 'SQLite file of the engine')
    .option('--limit <n>', 'how many to list', '20')
    .option('--redeliver <id>', 'make this delivery due again; the running engine sends it')
    .option('--enable <receiver>', 'send to this receiver again')
    .addHelpText('after', '\nExample:\n  rootwalk deliveries --redeliver 17')
    .action((options: DeliveriesOptions) => {
      const config = configFrom(options.config === undefined ? {} : { config: options.config }, {
        engine: engineFlags(options),
      });
      const store = openStore(config.engine.database);
      try {
        if (options.redeliver !== undefined) {
          if (!store.redeliver(Number(options.redeliver), Date.now()))
            throw new RcaError('RCA_DELIVERY', `no delivery ${options.redeliver}; "rootwalk deliveries" lists them`);
          console.log(`delivery ${options.redeliver} is due again`);
          return;
        }
        if (options.enable !== undefined) {
          store.enableReceiver(options.enable);
          console.log(`${options.enable} is enabled`);
          return;
        }
        console.table(
          store
            .deliveries({ limit: Number(options.limit) })
            .map(({ id, messageId, receiver, state, attempts, lastStatus, lastError, nextAttemptMs }) => ({
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
      } finally {
        store.close();
      }
    });
}
