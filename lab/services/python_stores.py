"""Small PostgreSQL and Redis connections on plain sockets. OSError: the connection is broken; RuntimeError: refused."""
import socket
import struct


class RedisConnection:
    def __init__(self, host, port, timeout_s):
        self.socket = socket.create_connection((host, port), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")

    def close(self):
        self.reader.close()
        self.socket.close()

    def command(self, words):
        encoded = [word.encode() for word in words]
        self.socket.sendall(
            b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)
        )
        return self.reply()

    def reply(self):
        line = self.reader.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError("redis closed the connection")
        kind, text = line[:1], line[1:-2]
        if kind == b"+":
            return text.decode()
        if kind == b"-":
            raise RuntimeError(text.decode())
        if kind == b":":
            return int(text)
        if kind == b"$":
            length = int(text)
            return None if length < 0 else self.reader.read(length + 2)[:-2].decode()
        if kind == b"*":
            return [self.reply() for _ in range(int(text))]
        raise ConnectionResetError("not a Redis reply")


class PostgresConnection:
    """Protocol 3.0, trust authentication, extended queries with text parameters."""

    def __init__(self, host, port, user, database, statement_timeout_ms, name):
        self.socket = socket.create_connection((host, port), 2.0)
        self.socket.settimeout(statement_timeout_ms / 1000 + 2.0)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")
        settings = ["user", user, "database", database, "application_name", name]
        settings += ["options", "-c statement_timeout=%d" % statement_timeout_ms]
        body = struct.pack("!i", 196608) + b"".join(text.encode() + b"\0" for text in settings) + b"\0"
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
        self.until_ready()

    def close(self):
        self.reader.close()
        self.socket.close()

    def message(self):
        head = self.reader.read(5)
        if len(head) < 5:
            raise ConnectionResetError("postgresql closed the connection")
        return head[:1], self.reader.read(struct.unpack("!i", head[1:])[0] - 4)

    def until_ready(self):
        rows, failure = 0, None
        while True:
            kind, body = self.message()
            if kind == b"Z":
                break
            if kind == b"D":
                rows += 1
            elif kind == b"E":
                fields = {piece[:1]: piece[1:].decode() for piece in body.split(b"\0") if piece}
                failure = fields.get(b"C", "") + " " + fields.get(b"M", "")
        if failure is not None:
            raise RuntimeError(failure)
        return rows

    def query(self, text, params):
        def frame(kind, body):
            return kind + struct.pack("!i", len(body) + 4) + body

        values = b"".join(struct.pack("!i", len(data)) + data for data in (value.encode() for value in params))
        self.socket.sendall(
            frame(b"P", b"\0" + text.encode() + b"\0\0\0")
            + frame(b"B", b"\0\0\0\0" + struct.pack("!h", len(params)) + values + b"\0\0")
            + frame(b"D", b"P\0")
            + frame(b"E", b"\0\0\0\0\0")
            + frame(b"S", b"")
        )
        return self.until_ready()
