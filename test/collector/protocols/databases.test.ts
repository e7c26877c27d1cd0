import { describe, expect, it } from 'vitest';
import { inferProtocol } from '../../../collector/protocols/index.ts';
import { mysql } from '../../../collector/protocols/mysql/index.ts';
import { postgresql } from '../../../collector/protocols/postgresql/index.ts';
import { REQUEST, RESPONSE } from '../../../collector/protocols/protocol.ts';
import { redis } from '../../../collector/protocols/redis/index.ts';
import {
  bytes,
  CONVERSATIONS,
  my,
  myError,
  myGreeting,
  myQuery,
  myResult,
  pg,
  pgError,
  pgExtended,
  pgReady,
  pgRow,
  pgSsl,
  pgStartup,
  piece,
  resp,
} from './conversations.ts';
import { drive, outline, text } from './drive.ts';

describe('postgresql', () => {
  it('names startup, simple and extended queries, and their outcome', () => {
    expect(outline(drive(postgresql, CONVERSATIONS.postgresql))).toEqual([
      'CONNECT OK',
      'select * from t where a = ? and b in (?) OK',
      'update t set a = ? where id = ? OK',
      'update t set a = ? where id = ? 40P01 40P01',
      'copy t from stdin OK',
      'select ? 57P01 57P01',
    ]);
  });

  it('reports a refused startup', () => {
    const driven = drive(postgresql, [piece(REQUEST, pgStartup()), piece(RESPONSE, pgError('53300', 'FATAL'))]);
    expect(outline(driven)).toEqual(['CONNECT 53300 53300']);
  });

  it('stops when the server takes TLS', () => {
    const driven = drive(postgresql, [
      piece(REQUEST, pgSsl()),
      text(RESPONSE, 'S'),
      text(REQUEST, '\x16\x03\x01garbage'),
    ]);
    expect(driven.layer.stopped).toBe(true);
    expect(driven.calls).toEqual([]);
  });

  it('ends a large result whose rows were not captured with the next query', () => {
    const rows = Buffer.concat([pg('T', Buffer.alloc(30)), pgRow('x'.repeat(5000))]);
    const driven = drive(postgresql, [
      piece(REQUEST, pg('Q', 'SELECT big FROM t')),
      { flow: RESPONSE, bytes: rows.subarray(0, 500), full: 8192 },
      { flow: RESPONSE, bytes: Buffer.alloc(400, 120), full: 3000 },
      piece(REQUEST, pg('Q', 'SELECT 2')),
      piece(RESPONSE, pgError('42P01'), pgReady()),
    ]);
    expect(outline(driven)).toEqual(['select big from t OK', 'select ? 42P01 42P01']);
    expect(driven.calls[0]?.endMs).toBe(30);
  });

  it('names a statement prepared before it looked', () => {
    const driven = drive(postgresql, [piece(REQUEST, pgExtended('old')), piece(RESPONSE, pg('2'), pgReady())]);
    expect(outline(driven)).toEqual(['EXECUTE (unknown statement) OK']);
  });

  it('names a transaction’s first cycle after the statement that comes with BEGIN', () => {
    const sync = pg('S').length;
    const begin = pgExtended('', 'BEGIN').subarray(0, -sync);
    const driven = drive(postgresql, [
      piece(REQUEST, begin, pgExtended('', 'UPDATE stock SET n = n - 1 WHERE id = $1')),
      piece(RESPONSE, pg('1'), pg('2'), pg('1'), pg('2'), pgReady()),
      piece(REQUEST, pgExtended('', 'BEGIN')),
      piece(RESPONSE, pg('1'), pg('2'), pgReady()),
    ]);
    expect(outline(driven)).toEqual(['update stock set n = n - ? where id = ? OK', 'begin OK']);
  });

  it('gives each cycle of a pipeline its own answer', () => {
    const driven = drive(postgresql, [
      piece(REQUEST, pgExtended('', 'SELECT a'), pgExtended('', 'SELECT b')),
      piece(RESPONSE, pg('1'), pg('2'), pgReady(), pg('1'), pgError('22012'), pgReady()),
    ]);
    expect(outline(driven)).toEqual(['select a OK', 'select b 22012 22012']);
  });
});

describe('mysql', () => {
  it('names connect, text and prepared statements, and their outcome', () => {
    expect(outline(drive(mysql, CONVERSATIONS.mysql))).toEqual([
      'CONNECT OK',
      'select * from t where a = ? and b = ? OK',
      'select ? OK',
      'PREPARE insert into t values (?) OK',
      'insert into t values (?) OK',
      'insert into t values (?) HY000 1205',
      'PING OK',
    ]);
  });

  it('reads several result sets as one response', () => {
    const first = Buffer.concat([
      my(1, bytes(1)),
      my(2, bytes(3), 'def'),
      my(3, bytes(0xfe, 0, 0, 2, 0)),
      my(4, bytes(1), '1'),
      my(5, bytes(0xfe, 0, 0, 10, 0)),
    ]);
    const driven = drive(mysql, [
      piece(REQUEST, myQuery('CALL p()')),
      piece(RESPONSE, first, my(6, bytes(0, 0, 0, 2, 0, 0, 0))),
      piece(REQUEST, myQuery('SELECT 1')),
      piece(RESPONSE, myResult(300)),
    ]);
    expect(outline(driven)).toEqual(['call p() OK', 'select ? OK']);
  });

  it('ends a large result that was not captured with the next command', () => {
    const driven = drive(mysql, [
      piece(REQUEST, myQuery('SELECT big')),
      { flow: RESPONSE, bytes: myResult(200).subarray(0, 300), full: 16_000 },
      { flow: RESPONSE, bytes: Buffer.alloc(300, 65), full: 16_000 },
      piece(REQUEST, myQuery('UPDATE t SET a=1')),
      piece(RESPONSE, myError(1, 1213, '40001')),
    ]);
    expect(outline(driven)).toEqual(['select big OK', 'update t set a = ? 40001 1213']);
    expect(driven.calls[0]?.endMs).toBe(30);
  });

  it('reports a refused login and stops at TLS', () => {
    const refused = drive(mysql, [
      piece(RESPONSE, myGreeting()),
      piece(REQUEST, my(1, bytes(0x85, 0xa6, 0x3f, 0), Buffer.alloc(40))),
      piece(RESPONSE, myError(2, 1045, '28000')),
    ]);
    expect(outline(refused)).toEqual(['CONNECT 28000 1045']);
    const tls = drive(mysql, [
      piece(RESPONSE, myGreeting()),
      piece(REQUEST, my(1, bytes(0x85, 0xae, 0x3f, 0), Buffer.alloc(28))),
    ]);
    expect(tls.layer.stopped).toBe(true);
  });
});

describe('redis', () => {
  it('names commands and their outcome', () => {
    expect(outline(drive(redis, CONVERSATIONS.redis))).toEqual([
      'HELLO OK',
      'SET OK',
      'GET OK',
      'GET NIL',
      'CONFIG GET OK',
      'PING OK',
      'EXEC OK',
      'INCR ERR WRONGTYPE',
      'MGET OK',
      'LLEN OK',
    ]);
  });

  it('skips values that were not captured', () => {
    const command = resp('SET', 'k', 'v'.repeat(100_000));
    const driven = drive(redis, [
      { flow: REQUEST, bytes: Buffer.from(command).subarray(0, 100), full: command.length },
      text(RESPONSE, '+OK\r\n'),
      text(REQUEST, resp('GET', 'k')),
      { flow: RESPONSE, bytes: Buffer.from('$100000\r\nvvv'), full: 60_000 },
      { flow: RESPONSE, bytes: Buffer.from('vvv'), full: 100_011 - 60_000 },
      text(REQUEST, resp('DEL', 'k')),
      text(RESPONSE, ':1\r\n'),
    ]);
    expect(outline(driven)).toEqual(['SET OK', 'GET OK', 'DEL OK']);
    expect(driven.losses).toEqual({ requests: 0, responses: 0, bytes: 0 });
  });

  it('stops at a subscription, and goes on in RESP3', () => {
    expect(drive(redis, [text(REQUEST, resp('SUBSCRIBE', 'c'))]).layer.stopped).toBe(true);
    const resp3 = drive(redis, [
      text(REQUEST, resp('HELLO', '3')),
      text(RESPONSE, '%0\r\n'),
      text(REQUEST, resp('SUBSCRIBE', 'c')),
      text(RESPONSE, '>3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n'),
      text(REQUEST, resp('PING')),
      text(RESPONSE, '>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n+PONG\r\n'),
    ]);
    expect(outline(resp3)).toEqual(['HELLO OK', 'PING OK']);
  });

  it('does not call it an error that a server declines what a client offers as it connects', () => {
    const unknown = '-ERR unknown subcommand or wrong number of arguments\r\n';
    const offers = resp('CLIENT', 'SETINFO', 'LIB-NAME', 'x') + resp('CLIENT', 'MAINT_NOTIFICATIONS', 'ON');
    const driven = drive(redis, [
      text(REQUEST, offers + resp('GET', 'k')),
      text(RESPONSE, unknown.repeat(3)),
      text(REQUEST, resp('HELLO', '3')),
      text(RESPONSE, '-NOAUTH HELLO must be called with the client already authenticated\r\n'),
    ]);
    expect(driven.calls.map(({ operation, status, failed }) => [operation, status, failed])).toEqual([
      ['CLIENT SETINFO', 'DECLINED', false],
      ['CLIENT MAINT_NOTIFICATIONS', 'DECLINED', false],
      ['GET', 'ERR', true],
      ['HELLO', 'ERR', true],
    ]);
  });

  it('does not call redirections errors', () => {
    const driven = drive(redis, [text(REQUEST, resp('GET', 'k')), text(RESPONSE, '-MOVED 3999 127.0.0.1:6381\r\n')]);
    expect(driven.calls[0]).toMatchObject({ status: 'MOVED', failed: false });
  });
});

describe('inference', () => {
  it.each([
    [pgStartup(), 'postgresql', REQUEST],
    [pgSsl(), 'postgresql', REQUEST],
    [pg('Q', 'select 1'), 'postgresql', REQUEST],
    [pgExtended('s', 'select 1'), 'postgresql', REQUEST],
    [myGreeting(), 'mysql', RESPONSE],
    [myQuery('SELECT 1'), 'mysql', REQUEST],
    [Buffer.from(resp('GET', 'k')), 'redis', REQUEST],
    [Buffer.from(resp('hgetall', 'k')), 'redis', REQUEST],
    [Buffer.from('+PONG\r\n'), 'redis', RESPONSE],
    [Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'http', REQUEST],
  ])('%#', (head, name, flow) => {
    const found = inferProtocol(head, 0, head.length);
    expect([found?.protocol.name, found?.flow]).toEqual([name, flow]);
  });

  it.each([
    // The reply to HGETALL on a connection older than the collector: who sent it is told by addresses, or by what follows.
    Buffer.from(resp('3', '17')),
    Buffer.from('*2\r\n'),
    Buffer.from('SSH-2.0-OpenSSH'),
    Buffer.from([0x16, 3, 1, 2, 0, 1]),
    Buffer.alloc(64),
  ])('knows no protocol of %#', (head) => expect(inferProtocol(head, 0, head.length)).toBeUndefined());
});
