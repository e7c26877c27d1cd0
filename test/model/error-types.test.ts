import { expect, it } from 'vitest';
import { isGivenUp } from '../../src/model/error-types.ts';

it.each(['timeout', 'timed_out', 'ETIMEDOUT', 'java.net.SocketTimeoutException', 'DEADLINE_EXCEEDED', 'ReadTimeout'])(
  '%s: the caller gave up',
  (type) => expect(isGivenUp(type)).toBe(true),
);

it.each([undefined, '500', '504', 'connection_reset', 'connect_timeout', 'ConnectTimeout'])(
  '%s: it did not, or never had a connection',
  (type) => expect(isGivenUp(type)).toBe(false),
);
