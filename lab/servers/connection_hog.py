"""Takes every connection a PostgreSQL server has to give: python3 connection_hog.py HOST PORT

Ends the sessions of everybody else once, takes what becomes free, says "full" at the first refusal, and goes on trying.
On SIGTERM it lets go and says how many it held.
"""
import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "services"))
from python_stores import PostgresConnection  # noqa: E402

NAME = "connection-hog"
AGAIN_S = 0.02
END_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_addr IS NOT NULL AND application_name <> $1"


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    held, over, full = [], [], False
    signal.signal(signal.SIGTERM, lambda *_: over.append(True))
    while not over:
        try:
            held.append(PostgresConnection(host, port, "shop", "shop", 5_000, NAME))
        except (OSError, RuntimeError):
            if not full:
                full = True
                print(json.dumps({"full": True}), flush=True)
                held[0].query(END_OTHERS, [NAME])
            else:
                time.sleep(AGAIN_S)
    print(json.dumps({"connectionsHeld": len(held)}), flush=True)
    for connection in held:
        connection.close()


main()
