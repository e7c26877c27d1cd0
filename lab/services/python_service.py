"""A service of the lab on Python's standard library: python3 python_service.py CONFIG.json

What it does is in the configuration (service-config.ts describes the file): one thread per connection, one set of
outgoing connections per thread.
"""
import hashlib
import http.client
import json
import os
import random
import re
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from python_stores import PostgresConnection, RedisConnection

POLL_S = 0.2
REDIS_TIMEOUT_S = 1.0
IDLE_S = 30.0


class StepError(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class WatchedJson:
    """A JSON file that is read again when it changes."""

    def __init__(self, path, absent, changed=None):
        self.path, self.value, self.stamp, self.changed = path, absent, None, None
        self.refresh()
        self.changed = changed
        threading.Thread(target=self.poll, daemon=True).start()

    def refresh(self):
        try:
            stat = os.stat(self.path)
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if stamp != self.stamp:
                with open(self.path, encoding="utf8") as file:
                    self.value = json.load(file)
                self.stamp = stamp
                if self.changed is not None:
                    self.changed()
        except FileNotFoundError:
            pass

    def poll(self):
        while True:
            time.sleep(POLL_S)
            self.refresh()


with open(sys.argv[1], encoding="utf8") as config_file:
    CONFIG = json.load(config_file)
PEERS = WatchedJson(CONFIG["peersFile"], {"services": {}, "stores": {}})
RANDOM = random.Random(CONFIG["seed"])
VERSION = os.environ.get("SERVICE_VERSION", "0")
CALL_TIMEOUT_S = CONFIG["callTimeoutMs"] / 1000
LOCAL = threading.local()
BRANCHES = ThreadPoolExecutor(max_workers=16)
COUNTS = {"requests": 0, "failuresInjected": 0, "workInjected": 0}
IN_FLIGHT = {"now": 0}
TURNS = {}
LOCK = threading.Lock()
ROUTES = [
    (route, re.compile("^" + re.sub(r":([A-Za-z][A-Za-z0-9]*)", r"(?P<\1>[^/]+)", route["path"]) + "$"))
    for route in CONFIG["routes"]
]


def say(line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


CONTROL = WatchedJson(
    CONFIG["controlFile"],
    {"failures": []},
    lambda: say({name: COUNTS[name] for name in ("failuresInjected", "workInjected")}),
)


def fill(text, values):
    def one(match):
        name = match.group(1)
        if name.startswith("random:"):
            return str(RANDOM.randint(1, int(name[len("random:"):])))
        return values.get(name, "")

    return re.sub(r"\{([^}]+)\}", one, text)


def burn(ms):
    """CPU time of this thread: a throttled or crowded CPU makes it last longer. 0.5 to 1.5 times ms."""
    until = time.thread_time() + ms * (0.5 + RANDOM.random()) / 1000
    digest = b"rootwalk"
    while time.thread_time() < until:
        for _ in range(16):
            digest = hashlib.sha1(digest).digest()


def peer(service):
    peers = PEERS.value["services"].get(service, [])
    if not peers:
        raise StepError(503, "no instance of " + service)
    with LOCK:
        turn = TURNS.get(service, 0)
        TURNS[service] = turn + 1
    return peers[turn % len(peers)]


def kept(key, make):
    """This thread's connection of that name; (connection, True when it is a reused one)."""
    if not hasattr(LOCAL, "connections"):
        LOCAL.connections = {}
    found = LOCAL.connections.get(key)
    if found is not None and time.monotonic() - found[1] < IDLE_S:
        return found[0], True
    if found is not None:
        found[0].close()
    return make(), False


def keep(key, connection):
    LOCAL.connections[key] = (connection, time.monotonic())


def forget(key, connection):
    connection.close()
    LOCAL.connections.pop(key, None)


def http_once(method, target, path):
    key = ("http", target["address"], target["port"])
    connection, reused = kept(
        key, lambda: http.client.HTTPConnection(target["address"], target["port"], timeout=CALL_TIMEOUT_S)
    )
    try:
        connection.request(method, path)
        response = connection.getresponse()
        response.read()
        status = response.status
    except TimeoutError:
        forget(key, connection)
        raise StepError(504, "%s:%s: no answer in time" % (target["address"], target["port"])) from None
    except (OSError, http.client.HTTPException) as error:
        forget(key, connection)
        # A kept connection that the other side closed while it was idle says nothing about the request.
        if reused and isinstance(error, (http.client.RemoteDisconnected, BrokenPipeError)):
            return http_once(method, target, path)
        raise StepError(502, "%s:%s: %s" % (target["address"], target["port"], error)) from None
    if response.will_close:
        forget(key, connection)
    else:
        keep(key, connection)
    return status


def do_call(step, values):
    try:
        status = http_once(step.get("method", "GET"), peer(step["call"]), fill(step["path"], values))
        if status >= 500:
            raise StepError(502, "%s answered %d" % (step["call"], status))
    except StepError:
        if not step.get("optional"):
            raise


def store_connection(name, make):
    store = PEERS.value["stores"].get(name)
    if store is None:
        raise StepError(503, "no store " + name)
    key = (name, store["address"], store["port"])
    return key, kept(key, lambda: make(store))[0]


def on_store(name, make, use):
    try:
        key, connection = store_connection(name, make)
    except OSError as error:
        raise StepError(500, "%s: %s" % (name, error)) from None
    try:
        reply = use(connection)
    except OSError as error:
        forget(key, connection)
        raise StepError(500, "%s: %s" % (name, error)) from None
    except RuntimeError as error:
        keep(key, connection)
        raise StepError(500, "%s: %s" % (name, error)) from None
    keep(key, connection)
    return reply


def do_sql(step, values):
    params = [fill(text, values) for text in step.get("params", [])]
    on_store(
        step["sql"],
        lambda store: PostgresConnection(
            store["address"], store["port"], "shop", "shop", CONFIG["sqlTimeoutMs"], CONFIG["instance"]
        ),
        lambda connection: connection.query(step["text"], params),
    )


def do_redis(step, values):
    words = [fill(word, values) for word in step["command"]]
    reply = on_store(
        step["redis"],
        lambda store: RedisConnection(store["address"], store["port"], REDIS_TIMEOUT_S),
        lambda connection: connection.command(words),
    )
    if reply is None and "orElse" in step:
        run(step["orElse"], values)


def run(steps, values, work=None):
    """Does the steps; `work` is what is done beyond them."""
    times = 1 if work is None else work["times"]
    if work is not None and work["cpuMs"] > 0:
        burn(work["cpuMs"])
    for step in steps:
        if "cpuMs" in step:
            burn(step["cpuMs"])
        elif "waitMs" in step:
            time.sleep(step["waitMs"] / 1000)
        elif "parallel" in step:
            for branch in [BRANCHES.submit(run, steps, values) for steps in step["parallel"]]:
                branch.result()
        else:
            for _ in range(times):
                ask(step, values)


def ask(step, values):
    if "call" in step:
        do_call(step, values)
    elif "sql" in step:
        do_sql(step, values)
    else:
        do_redis(step, values)


def padded(size):
    start = '{"service":"%s","data":"' % CONFIG["service"]
    return start + "x" * max(0, size - len(start) - 2) + '"}'


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self, status, body):
        data = body.encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.send_header("x-version", VERSION)
        # Head and body in one write.
        self._headers_buffer.append(b"\r\n" + data)
        self.flush_headers()

    def serve(self):
        with LOCK:
            COUNTS["requests"] += 1
            IN_FLIGHT["now"] += 1
        try:
            self.serve_one()
        finally:
            with LOCK:
                IN_FLIGHT["now"] -= 1

    def serve_one(self):
        length = int(self.headers.get("content-length") or 0)
        if length > 0:
            self.rfile.read(length)
        path = self.path.split("?")[0]
        for route, pattern in ROUTES:
            match = pattern.match(path) if route["method"] == self.command else None
            if match:
                self.serve_route(route, {name: unquote(value) for name, value in match.groupdict().items()})
                return
        self.answer(404, '{"error":"no such route"}')

    def serve_route(self, route, values):
        name = route["method"] + " " + route["path"]
        for failure in CONTROL.value["failures"]:
            if failure["route"] == name and RANDOM.random() < failure["ratio"]:
                with LOCK:
                    COUNTS["failuresInjected"] += 1
                self.answer(failure["status"], '{"error":"internal error"}')
                return
        work = next((more for more in CONTROL.value.get("work", []) if more["route"] == name), None)
        if work is not None:
            with LOCK:
                COUNTS["workInjected"] += 1
        try:
            run(route["do"], values, work)
        except StepError as error:
            self.answer(error.status, json.dumps({"error": str(error)}))
            return
        self.answer(route.get("status", 200), padded(route.get("responseBytes", 64)))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 511

    def handle_error(self, request, client_address):
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handle_error(request, client_address)


def main():
    server = Server((CONFIG["address"], CONFIG["port"]), Handler)

    def stop(*_):
        def end():
            server.shutdown()
            until = time.monotonic() + 3
            while IN_FLIGHT["now"] > 0 and time.monotonic() < until:
                time.sleep(0.02)
            say({"stopped": True, **COUNTS})
            os._exit(0)

        threading.Thread(target=end).start()

    signal.signal(signal.SIGTERM, stop)
    say({"ready": True, "port": CONFIG["port"]})
    server.serve_forever(poll_interval=0.2)


main()
