"""What somebody tries who has taken a container over: Python for ``RunOnNode.python``, which returns ``found``."""

from __future__ import annotations

from typing import Final

DIRECTORIES: Final = """
found = sorted({root for top in ("/ipc", "/packs", "/workspace", "/layout") for root, _, _ in os.walk(top)})
"""
"""Every directory of the run that it sees."""

WRITES: Final = """
found = []
for place in json.loads(sys.argv[1]):
    try:
        with open(place + "/probe-of-a-test", "w"):
            found.append(place)
        os.unlink(place + "/probe-of-a-test")
    except OSError:
        pass
"""
"""Which of these directories (a list as JSON) it can write."""

SEARCH: Final = """
words = [word.encode() for word in json.loads(sys.argv[1])]
def holds(path):
    try:
        if not os.path.isfile(path):  # a device may keep whoever reads it
            return False
        with open(path, "rb") as file:
            data = file.read(8 << 20)
    except OSError:
        return False
    return any(word in data for word in words)
found = [name for name, value in os.environ.items() if any(word.decode() in value for word in words)]
own = str(os.getpid())
for number in filter(str.isdigit, os.listdir("/proc")):
    if number != own:
        found += [f for f in ("environ", "cmdline", "maps") if holds(f"/proc/{number}/{f}")]
for root, folders, files in os.walk("/"):
    if root == "/":
        folders[:] = [one for one in folders if one not in ("proc", "sys", "usr", "lib", "lib64", "bin", "sbin")]
    found += [path for path in (os.path.join(root, one) for one in files) if holds(path)]
"""
"""Where one of these words (a list as JSON) is in the environment, the files or the processes."""

REACHES: Final = """
import concurrent.futures, socket
def connects(address):
    try:
        socket.create_connection(address, timeout=8).close()
        return True
    except OSError:
        return False
def answers(server):  # a name server, asked for the address of kubernetes.default.svc.cluster.local
    name = b"".join(bytes([len(one)]) + one for one in b"kubernetes default svc cluster local".split())
    asked = bytes.fromhex("abcd01000001000000000000") + name + bytes.fromhex("0000010001")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(8)
        try:
            line.sendto(asked, (server, 53))
            return line.recv(512)[:2] == asked[:2]
        except OSError:
            return False
def known(name):
    try:
        return bool(socket.getaddrinfo(name, 443))
    except OSError:
        return False
tries = {"names": answers, "resolves": known}
places = json.loads(sys.argv[1])
with concurrent.futures.ThreadPoolExecutor(len(places)) as pool:
    came = dict(zip(places, pool.map(lambda name: tries.get(name, connects)(places[name]), places)))
found = sorted(name for name in places if came[name])
"""
"""Which of these it reaches: an object as JSON, by name [address, port]; ``names`` an address that is asked for a name,
``resolves`` a name."""

PRESENTS: Final = """
import socket, ssl
address, token = json.loads(sys.argv[1])
line = socket.create_connection((address, 4222), timeout=20)
line.recv(65536)  # what the server says of itself, ahead of TLS
context = ssl._create_unverified_context()
line = context.wrap_socket(line)
words = {"verbose": False, "pedantic": False, "lang": "x", "version": "1", "protocol": 1, "name": "0123456789abcdef"}
line.sendall(f"CONNECT {json.dumps(words | ({'auth_token': token} if token else {}))}\\r\\nPING\\r\\n".encode())
said = b""
while not (b"PONG" in said or b"-ERR" in said):
    data = line.recv(65536)
    if not data:
        break
    said += data
found = "let in" if b"PONG" in said else said.decode()
"""
"""What the bus at this address answers to this token, or to none (``[address, token]`` as JSON)."""
