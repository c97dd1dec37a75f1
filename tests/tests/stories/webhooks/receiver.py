"""A receiver of webhooks that takes only what the library of Standard Webhooks finds good.

usage: receiver.py KEY-FILE FOLDER. Prints its port. Each event that it takes is a line of JSON in FOLDER/taken, what it refuses one in
FOLDER/refused. While there is a file FOLDER/away it answers 503.
"""
import http.server
import json
import pathlib
import ssl
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

key = Webhook(pathlib.Path(sys.argv[1]).read_text().strip())
folder = pathlib.Path(sys.argv[2])


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            event = key.verify(body, {name.lower(): value for name, value in self.headers.items()})
            status, place = (503, None) if (folder / "away").exists() else (200, "taken")
        except WebhookVerificationError as error:
            event, status, place = {"why": str(error)}, 400, "refused"
        if place:
            with open(folder / place, "a") as file:
                print(json.dumps(event), file=file)
        answer = b"thanks for " + self.headers["authorization"].encode()
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """Whoever asked was killed."""


server = Server(("127.0.0.1", 0), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
