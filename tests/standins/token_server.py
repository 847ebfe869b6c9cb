#!/usr/bin/env python3
"""A registry's token server on loopback, for a notary-server with authentication.

    token_server.py KEY.pem CERT.pem [TLS.crt TLS.key]

Serves `GET /token?service=…&scope=repository:<collection>:push,pull` with HTTP Basic as the
Docker registry protocol asks, and answers with a JSON web token (RS256) whose header carries the
certificate, which notary-server finds in its `rootcertbundle`. Listens on a port that the kernel
chooses; over TLS where a certificate is given for it. Only the standard library and the program
`openssl` are needed.

Two people are known: `pusher` (pass-phrase `push-secret`) gets every action asked for, `puller`
(`pull-secret`) at most `pull`, and so does who gives no name, as for a registry's public
collections: Debian's `notary list` asks so. Anyone else gets 401. Started by
`scripts/notary up DIR auth` and `whole`.
"""

import base64
import binascii
import json
import ssl
import subprocess
import sys
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

ISSUER = "keyrite-test"
SERVICE = "notary-test"
SECONDS = 300
PEOPLE = {("pusher", "push-secret"): {"push", "pull", "*"}, ("puller", "pull-secret"): {"pull"}}


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(key: Path, cert: Path, subject: str, access: list[dict]) -> str:
    """A signed token; `openssl` signs, as Python has no RSA of its own."""
    now = int(time.time())
    certificate = base64.b64encode(ssl.PEM_cert_to_DER_cert(cert.read_text())).decode()
    header = {"typ": "JWT", "alg": "RS256", "x5c": [certificate]}
    claims = {
        "iss": ISSUER,
        "aud": SERVICE,
        "sub": subject,
        "iat": now,
        # The two clocks are one, but seconds are cut off.
        "nbf": now - 10,
        "exp": now + SECONDS,
        "jti": uuid.uuid4().hex,
        "access": access,
    }
    head = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    sign = ["openssl", "dgst", "-sha256", "-sign", str(key)]
    signature = subprocess.run(sign, input=head.encode(), capture_output=True, check=True).stdout
    return f"{head}.{encoded(signature)}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked = urlparse(self.path)
        query = parse_qs(asked.query)
        if asked.path != "/token" or query.get("service") != [SERVICE]:
            self.answer(404, {"details": "no such thing"})
            return
        name, allowed = self.person()
        if not allowed:
            self.answer(401, {"details": "incorrect username or password"})
            return
        access = []
        for scope in query.get("scope", []):
            kind, _, rest = scope.partition(":")
            # A collection's name may hold a colon (host:port), the actions can't.
            collection, _, actions = rest.rpartition(":")
            granted = [action for action in actions.split(",") if action in allowed]
            access.append({"type": kind, "name": collection, "actions": granted})
        signed = token(*self.server.material, name, access)
        self.answer(200, {"token": signed, "access_token": signed, "expires_in": SECONDS})

    def person(self) -> tuple[str, set[str]]:
        if "Authorization" not in self.headers:
            return "", {"pull"}
        kind, _, value = self.headers["Authorization"].partition(" ")
        try:
            name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", set()
        return (name, PEOPLE.get((name, secret), set())) if kind.lower() == "basic" else ("", set())

    def answer(self, status: int, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", f'Basic realm="{ISSUER}"')
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main() -> None:
    if len(sys.argv) not in (3, 5):
        sys.exit("usage: token_server.py KEY.pem CERT.pem [TLS.crt TLS.key]")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.material = tuple(Path(arg).resolve() for arg in sys.argv[1:3])
    if len(sys.argv) == 5:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*sys.argv[3:])
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
