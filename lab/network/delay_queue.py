"""Holds back packets of a netfilter queue: python3 delay_queue.py QUEUE DELAY_MS

Speaks nfnetlink itself (linux/netfilter/nfnetlink_queue.h). Each packet is accepted DELAY_MS after it came, in order; says
"ready" when the queue is bound, and on SIGTERM lets everything go and says how many packets it held.
"""
import collections
import json
import select
import signal
import socket
import struct
import sys
import time

NETLINK_NETFILTER = 12
NLM_F_REQUEST = 1
SUBSYSTEM = 3 << 8
MSG_PACKET, MSG_VERDICT, MSG_CONFIG = 0, 1, 2
ATTRIBUTE_PACKET_HDR, ATTRIBUTE_VERDICT_HDR = 1, 2
CONFIG_CMD, CONFIG_PARAMS, CONFIG_MAXLEN = 1, 2, 3
CMD_BIND, COPY_META, NF_ACCEPT = 1, 1, 1
QUEUE_LENGTH = 20_000


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def message(kind, queue, data):
    body = struct.pack("=BBH", socket.AF_UNSPEC, 0, socket.htons(queue)) + data
    return struct.pack("=IHHII", 16 + len(body), SUBSYSTEM | kind, NLM_F_REQUEST, 0, 0) + body


def packet_ids(data):
    """Ids of the packets that a datagram of netlink messages announces."""
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if length < 16:
            return
        inner = at + 20
        while kind == SUBSYSTEM | MSG_PACKET and inner + 4 <= at + length:
            size, name = struct.unpack_from("=HH", data, inner)
            if name == ATTRIBUTE_PACKET_HDR:
                yield struct.unpack_from("!I", data, inner + 4)[0]
            if size < 4:
                break
            inner += (size + 3) & ~3
        at += (length + 3) & ~3


def main():
    queue, delay_s = int(sys.argv[1]), float(sys.argv[2]) / 1000
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    netlink.bind((0, 0))
    netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    netlink.send(message(MSG_CONFIG, queue, attribute(CONFIG_CMD, struct.pack("=BxH", CMD_BIND, 0))))
    netlink.send(message(MSG_CONFIG, queue, attribute(CONFIG_PARAMS, struct.pack("!IB", 0, COPY_META))))
    netlink.send(message(MSG_CONFIG, queue, attribute(CONFIG_MAXLEN, struct.pack("!I", QUEUE_LENGTH))))
    over = []
    signal.signal(signal.SIGTERM, lambda *_: over.append(True))
    print(json.dumps({"ready": True}), flush=True)
    held, count = collections.deque(), 0

    def release():
        _, packet = held.popleft()
        netlink.send(message(MSG_VERDICT, queue, attribute(ATTRIBUTE_VERDICT_HDR, struct.pack("!II", NF_ACCEPT, packet))))

    while not over:
        wait = min(0.1, max(0.0, held[0][0] - time.monotonic())) if held else 0.1
        if select.select([netlink], [], [], wait)[0]:
            due = time.monotonic() + delay_s
            for packet in packet_ids(netlink.recv(65536)):
                held.append((due, packet))
                count += 1
        while held and held[0][0] <= time.monotonic():
            release()
    while held:
        release()
    print(json.dumps({"packetsDelayed": count}), flush=True)


main()
