"""The service that the demo breaks: serves the orders in ``orders.json`` and logs what goes wrong.

``python service.py DIRECTORY`` prints the port that it listens on.
"""

from __future__ import annotations

import json
import logging
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Orders(BaseHTTPRequestHandler):
    """GET /orders: the number of open orders."""

    directory: Path

    def do_GET(self) -> None:
        try:
            orders = json.loads((self.directory / "orders.json").read_text())
        except OSError as error:
            logging.exception("GET %s failed: %s", self.path, error)
            self._send(500, {"error": "internal error"})
        else:
            logging.info("GET %s ok", self.path)
            self._send(200, {"open": len(orders)})

    def _send(self, status: int, body: dict[str, object]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """The log file has it already."""


def main() -> None:
    Orders.directory = Path(sys.argv[1])
    logging.basicConfig(
        filename=Orders.directory / "orders-api.log", level="INFO", format="%(asctime)s %(levelname)s %(message)s"
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), Orders)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
