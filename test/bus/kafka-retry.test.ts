import { describe, expect, it } from 'vitest';
import { isRetriable, whileRetriable } from '../../src/bus/kafka-retry.ts';

const retriable = (message: string): Error => Object.assign(new Error(message), { retriable: true });

describe('whileRetriable', () => {
  it('tries again what may pass by itself, also where that is the cause behind the error', async () => {
    const errors = [retriable('no leader'), new Error('gave up', { cause: retriable('no coordinator') })];
    let runs = 0;
    const result = await whileRetriable(() => {
      runs++;
      const error = errors.shift();
      return error === undefined ? Promise.resolve('joined') : Promise.reject(error);
    });
    expect({ result, runs }).toEqual({ result: 'joined', runs: 3 });
  });

  it('fails at once with what does not pass, and with the last error when patience is over', async () => {
    let runs = 0;
    const failing = (error: Error) => () => {
      runs++;
      return Promise.reject(error);
    };
    await expect(whileRetriable(failing(new Error('not authorized')))).rejects.toThrow('not authorized');
    expect(runs).toBe(1);
    await expect(whileRetriable(failing(retriable('no leader')), 250)).rejects.toThrow('no leader');
    expect(runs).toBe(3);
  });

  it('knows kafkajs by its marks', () => {
    const exceeded = Object.assign(new Error('x'), { name: 'KafkaJSNumberOfRetriesExceeded', retriable: false });
    expect([exceeded, retriable('x'), new Error('x'), 'x', undefined].map(isRetriable)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});
