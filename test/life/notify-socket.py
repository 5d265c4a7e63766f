# Stands in for systemd's notification socket: prints, a line of JSON for each word, who said it and what.
import array
import json
import os
import socket
import struct
import sys

name = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
receiver.bind("\0" + name[1:] if name.startswith("@") else name)
print(json.dumps({"pid": 0, "text": "listening"}), flush=True)
while True:
    text, ancillary, _, _ = receiver.recvmsg(4096, 1024)
    pid = 0
    for _, kind, data in ancillary:
        if kind == socket.SCM_CREDENTIALS:
            pid = struct.unpack("3i", data)[0]
        elif kind == socket.SCM_RIGHTS:
            # The barrier of systemd-notify, which waits until its other end is closed.
            for descriptor in array.array("i", data):
                os.close(descriptor)
    if text != b"BARRIER=1":
        print(json.dumps({"pid": pid, "text": text.decode()}), flush=True)
