"""What stands between the clients and the emulator, and writes down what each of them sends to the API.

It is the workspace under its own address. As a proxy for https it is also the workspace on Azure and on Google Cloud and those
clouds' identity services, under their real names, by the emulator's look-alikes: so the clients run as they are, with nothing but
the variables that every user behind a company's proxy has.
"""

from __future__ import annotations

import datetime
import http.client
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AZURE = "adb-1000000000000042.2.azuredatabricks.net"
GOOGLE = "1000000000000042.2.gcp.databricks.com"
# What the workspace says of itself under each of its names.
CLOUD = {AZURE: b"Azure", GOOGLE: b"GCP"}
# Where the emulator has what lives under each name.
BEHIND = {
    AZURE: "",
    GOOGLE: "",
    "login.microsoftonline.com": "/entra",
    "management.azure.com": "/arm",
    "oauth2.googleapis.com": "/google",
    "iamcredentials.googleapis.com": "/google",
}
# What belongs to one connection, or to a body that is written anew.
NOT_PASSED_ON = ("host", "connection", "content-length", "transfer-encoding", "accept-encoding")
# What accompanies an authorization.
BESIDE = (
    "x-databricks-azure-sp-management-token",
    "x-databricks-azure-workspace-resource-id",
    "x-databricks-gcp-sa-access-token",
)


class Recorder(ThreadingHTTPServer):
    """Passes requests on and keeps the authorization of those to the API."""

    daemon_threads = True

    def __init__(self, control: str, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Pass)
        self.control = control.removeprefix("http://")
        self.seen: list[tuple[str, str | None]] = []
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority = folder / "authority.pem"
        certify(self.tls, self.authority, folder / "key.pem")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def proxy(self) -> dict[str, str]:
        """The variables by which clients go through it to the clouds."""
        authority = str(self.authority)
        return {"HTTPS_PROXY": self.url, "SSL_CERT_FILE": authority, "REQUESTS_CA_BUNDLE": authority}


class Pass(BaseHTTPRequestHandler):
    server: Recorder
    protocol_version = "HTTP/1.1"
    # Whom the client thinks it talks to; nothing for the workspace under its own address.
    name = ""

    def do_CONNECT(self) -> None:  # noqa: N802
        name = self.path.removesuffix(":443")
        if name not in BEHIND:
            self.send_error(403)
            return
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)
        self.name = name
        self.close_connection = False

    def handle_any(self) -> None:
        body = self.body()
        if self.path.startswith("/api/"):
            sent = [self.headers.get("authorization") or "", *(self.headers.get(name) or "" for name in BESIDE)]
            self.server.seen.append((" + ".join(filter(None, sent)), self.headers.get("x-databricks-workspace-id")))
        control = f"http://{self.server.control}"
        own = f"https://{self.name}" if self.name else self.server.url
        headers = {name: value for name, value in self.headers.items() if name.lower() not in NOT_PASSED_ON}
        # An issuer that is asked for a token for this address makes it for the emulator's.
        path = self.path
        for written in (str, lambda url: quote(url, safe="")):
            path = path.replace(written(own), written(control))
        onward = http.client.HTTPConnection(self.server.control, timeout=30)
        onward.request(self.command, BEHIND.get(self.name, "") + path, body, headers)
        answer = onward.getresponse()
        # Addresses in documents must lead back here; the resource manager names a workspace without a scheme.
        back = AZURE if self.name == "management.azure.com" else own
        text = answer.read().replace(control.encode(), back.encode())
        text = text.replace(b'"cloud":"AWS"', b'"cloud":"%s"' % CLOUD.get(self.name, b"AWS"))
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in NOT_PASSED_ON:
                self.send_header(name, value)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        onward.close()

    def body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    do_GET = do_POST = handle_any  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


def certify(tls: ssl.SSLContext, authority: Path, key: Path) -> None:
    """Gives the server a certificate for all those names, by an authority of its own."""
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)

    def certificate(name: str, own: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")]))
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        )

    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    issuer = (
        certificate("authority of a test", root, root)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(root, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.DNSName(name) for name in BEHIND])
    shown = certificate("clouds", leaf, root).add_extension(names, critical=False).sign(root, hashes.SHA256())
    pem = serialization.Encoding.PEM
    authority.write_bytes(issuer.public_bytes(pem))
    key.write_bytes(
        leaf.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()) + shown.public_bytes(pem)
    )
    tls.load_cert_chain(key)
