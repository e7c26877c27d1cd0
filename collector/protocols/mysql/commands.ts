/** MySQL command bytes: their operation, and the shape of the response they get. */

export const COM_QUIT = 0x01;
export const COM_INIT_DB = 0x02;
export const COM_QUERY = 0x03;
export const COM_FIELD_LIST = 0x04;
export const COM_STATISTICS = 0x09;
export const COM_CHANGE_USER = 0x11;
export const COM_BINLOG_DUMP = 0x12;
export const COM_STMT_PREPARE = 0x16;
export const COM_STMT_EXECUTE = 0x17;
export const COM_STMT_SEND_LONG_DATA = 0x18;
export const COM_STMT_CLOSE = 0x19;
export const COM_STMT_FETCH = 0x1c;
export const COM_BINLOG_DUMP_GTID = 0x1e;
/** The connection phase counts as a command of its own. */
export const KIND_CONNECT = 0x100;

const NAMES: ReadonlyMap<number, string> = new Map([
  [COM_QUIT, 'QUIT'],
  [COM_INIT_DB, 'USE'],
  [COM_QUERY, 'QUERY'],
  [COM_FIELD_LIST, 'FIELD LIST'],
  [0x05, 'CREATE DB'],
  [0x06, 'DROP DB'],
  [0x07, 'REFRESH'],
  [0x08, 'SHUTDOWN'],
  [COM_STATISTICS, 'STATISTICS'],
  [0x0a, 'PROCESS INFO'],
  [0x0c, 'KILL'],
  [0x0d, 'DEBUG'],
  [0x0e, 'PING'],
  [COM_CHANGE_USER, 'CHANGE USER'],
  [COM_BINLOG_DUMP, 'BINLOG DUMP'],
  [COM_STMT_PREPARE, 'PREPARE'],
  [COM_STMT_EXECUTE, 'EXECUTE'],
  [COM_STMT_SEND_LONG_DATA, 'SEND LONG DATA'],
  [COM_STMT_CLOSE, 'CLOSE STATEMENT'],
  [0x1a, 'RESET STATEMENT'],
  [0x1b, 'SET OPTION'],
  [COM_STMT_FETCH, 'FETCH'],
  [COM_BINLOG_DUMP_GTID, 'BINLOG DUMP GTID'],
  [0x1f, 'RESET CONNECTION'],
]);

/** The command's name, or undefined for a byte that is no command. */
export function commandName(command: number): string | undefined {
  return NAMES.get(command);
}

/** Commands the server does not answer. */
export function isOneWay(command: number): boolean {
  return command === COM_QUIT || command === COM_STMT_CLOSE || command === COM_STMT_SEND_LONG_DATA;
}
