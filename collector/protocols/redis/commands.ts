/** Names of Redis commands: upper case, bounded, with the subcommand where it is part of the command's name. */

const WITH_SUBCOMMAND = new Set([
  'ACL',
  'CLIENT',
  'CLUSTER',
  'COMMAND',
  'CONFIG',
  'DEBUG',
  'FUNCTION',
  'LATENCY',
  'MEMORY',
  'MODULE',
  'OBJECT',
  'PUBSUB',
  'SCRIPT',
  'SLOWLOG',
  'XGROUP',
  'XINFO',
]);

const STREAMS = new Set([
  'SUBSCRIBE',
  'PSUBSCRIBE',
  'SSUBSCRIBE',
  'UNSUBSCRIBE',
  'PUNSUBSCRIBE',
  'MONITOR',
  'SYNC',
  'PSYNC',
]);

/** What a client sends when it connects, to ask for what not every server has. */
const OFFERS = /^(HELLO|CLIENT [A-Z_-]+)$/;

/** Answered when there is something, or after the time that the client names. */
const BLOCKING = new Set('BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN'.split(' '));
/** With an argument that says so, these as well; it comes among the first ones. */
const MAY_BLOCK = new Set(['XREAD', 'XREADGROUP']);
export const BLOCK = 'BLOCK';
const MAX_BLOCK_ARGUMENT = 6;

/** What clients mostly send: bytes that begin with one of these are a command, and no reply that holds it as data. */
const COMMON = new Set(
  `APPEND AUTH BITCOUNT BLMOVE BLPOP BRPOP BZPOPMIN CLIENT CLUSTER COMMAND CONFIG DECR DECRBY DEL DISCARD ECHO EVAL EVALSHA
  EXEC EXISTS EXPIRE EXPIREAT FCALL FLUSHALL FLUSHDB GEOADD GEOSEARCH GET GETBIT GETDEL GETEX GETRANGE GETSET HDEL HELLO
  HEXISTS HGET HGETALL HINCRBY HKEYS HLEN HMGET HMSET HSCAN HSET HSETNX HVALS INCR INCRBY INCRBYFLOAT INFO KEYS LINDEX LLEN
  LMOVE LPOP LPUSH LRANGE LREM LSET LTRIM MGET MSET MULTI PERSIST PEXPIRE PFADD PFCOUNT PING PSETEX PSUBSCRIBE PTTL PUBLISH
  QUIT RENAME RPOP RPOPLPUSH RPUSH SADD SCAN SCARD SCRIPT SELECT SET SETBIT SETEX SETNX SETRANGE SINTER SISMEMBER SMEMBERS
  SMISMEMBER SPOP SRANDMEMBER SREM SSCAN STRLEN SUBSCRIBE SUNION TIME TTL TYPE UNLINK UNWATCH WATCH XACK XADD XDEL XLEN
  XPENDING XRANGE XREAD XREADGROUP XTRIM ZADD ZCARD ZCOUNT ZINCRBY ZPOPMIN ZRANGE ZRANGEBYSCORE ZRANK ZREM
  ZREMRANGEBYSCORE ZREVRANGE ZREVRANK ZSCAN ZSCORE`.split(/\s+/),
);

/** True when these bytes are a command that is often sent, in either case. */
export function isCommonCommand(bytes: Buffer, start: number, end: number): boolean {
  return isCommand(bytes, start, end) && COMMON.has(bytes.toString('latin1', start, end).toUpperCase());
}

const names = new Map<number, string>();

/** True when the bytes can be a command's name: letters, digits, `.`, `_`, `-`, at most 24. */
export function isCommand(bytes: Buffer, start: number, end: number): boolean {
  if (end <= start || end - start > 24) return false;
  const first = bytes[start]! | 32;
  if (first < 97 || first > 122) return false;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    const low = byte | 32;
    if (!(low >= 97 && low <= 122) && !(byte >= 48 && byte <= 57) && byte !== 46 && byte !== 95 && byte !== 45)
      return false;
  }
  return true;
}

/** The command's name in upper case; `UNKNOWN` when the bytes cannot be one. Short names are cached. */
export function commandName(bytes: Buffer, start: number, end: number): string {
  if (!isCommand(bytes, start, end)) return 'UNKNOWN';
  // Names of up to six letters pack into a number exactly (case folded): no string is made for them.
  if (end - start > 6) return bytes.toString('latin1', start, end).toUpperCase();
  let key = 0;
  for (let i = start; i < end; i++) key = key * 256 + (bytes[i]! & 0xdf);
  const known = names.get(key);
  if (known !== undefined) return known;
  const name = bytes.toString('latin1', start, end).toUpperCase();
  // Folding maps digits and punctuation onto control characters; only pure letters are unambiguous.
  if (/^[A-Z]+$/.test(name)) names.set(key, name);
  return name;
}

export function takesSubcommand(name: string): boolean {
  return WITH_SUBCOMMAND.has(name);
}

/** True for commands after which the server sends without being asked. */
export function opensStream(name: string): boolean {
  return STREAMS.has(name);
}

/** True for commands that a client sends whether the server knows them or not. */
export function isOffer(name: string): boolean {
  return OFFERS.test(name);
}

/** True for commands that wait until there is something to answer. */
export function blocks(name: string): boolean {
  return BLOCKING.has(name) || name.endsWith(` ${BLOCK}`);
}

/** Whether this argument of the command may make it one that blocks. */
export function mayBlock(name: string, argument: number): boolean {
  return argument <= MAX_BLOCK_ARGUMENT && MAY_BLOCK.has(name);
}
