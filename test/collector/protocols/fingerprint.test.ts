import { describe, expect, it } from 'vitest';
import { MYSQL_DIALECT, POSTGRESQL_DIALECT, sqlFingerprint } from '../../../collector/protocols/sql/fingerprint.ts';

describe('SQL fingerprints', () => {
  it.each([
    ['SELECT 1', 'select ?'],
    ["select * from Users where name = 'O''Hara' and age > 42.5e-3", 'select * from users where name = ? and age > ?'],
    ['SELECT * FROM t WHERE id IN ($1, $2,$3) LIMIT 10', 'select * from t where id in (?) limit ?'],
    ['INSERT INTO t (a, b) VALUES (1, 2), (3, 4),(5,6)', 'insert into t(a, b) values (?)'],
    ['SELECT /* hint */ a -- tail\nFROM t;', 'select a from t'],
    ['SELECT "Weird Name" FROM s.t', 'select "Weird Name" from s.t'],
    ["SELECT E'a\\'b', x::int, $tag$ a ' b $tag$", 'select ?, x::int, ?'],
    [
      'SELECT count(*) FROM t WHERE a >= 5 AND b <> 6 AND c != 7',
      'select count(*) from t where a >= ? and b <> ? and c != ?',
    ],
    ['select f(1, 2), now()', 'select f(?, ?), now()'],
    ['UPDATE t SET on_sale = TRUE', 'update t set on_sale = ?'],
    ["SELECT 'unterminated", 'select ?'],
    ['', ''],
  ])('postgresql: %s', (sql, expected) => expect(sqlFingerprint(sql, POSTGRESQL_DIALECT)).toBe(expected));

  it.each([
    ["SELECT \"text\", 'a\\'b' FROM `Order` # tail", 'select ?, ? from `Order`'],
    ["SELECT * FROM t WHERE h = 0xFF AND s = x'41'", 'select * from t where h = ? and s = ?'],
  ])('mysql: %s', (sql, expected) => expect(sqlFingerprint(sql, MYSQL_DIALECT)).toBe(expected));

  it('is bounded, and tells long statements apart', () => {
    const long = (tail: string) =>
      `select ${Array.from({ length: 100 }, (_, i) => `col_${'x'.repeat(i % 7)}`).join(', ')} from ${tail}`;
    const a = sqlFingerprint(long('a'), POSTGRESQL_DIALECT);
    const b = sqlFingerprint(long('b'), POSTGRESQL_DIALECT);
    expect(a.length).toBeLessThan(220);
    expect(a).not.toBe(b);
  });

  it('does not depend on the values', () => {
    const one = sqlFingerprint("SELECT * FROM t WHERE a IN ('x') AND b = 1", POSTGRESQL_DIALECT);
    const two = sqlFingerprint("SELECT * FROM t WHERE a IN ('y', 'z') AND b = 99999", POSTGRESQL_DIALECT);
    expect(one).toBe(two);
  });
});
