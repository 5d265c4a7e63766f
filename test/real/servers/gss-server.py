# An HTTP server that logs clients on as WinRM does (RFC 4559, MS-WSMV 2.2.9.1) and shares no code with us: MIT's
# libgssapi and gss-ntlmssp do the cryptography. It executes nothing: what it is sent comes back inside <echo>.
#
#   Authorization: Negotiate|Kerberos <base64>   raw NTLMSSP, raw Kerberos or SPNEGO; bound to the connection
#   multipart/encrypted                          unwrapped, and answered sealed
#   anything else                                answered as it is (unless --encrypted-only)
#
# NTLM users come from NTLM_USER_FILE, Kerberos keys from KRB5_KTNAME.
import argparse
import base64
import hashlib
import re
import socketserver
import ssl
import struct
import subprocess
import sys
from http.server import BaseHTTPRequestHandler

import gssapi
from gssapi.raw import IOV, ChannelBindings, IOVBufferType, wrap_iov

SOAP = "application/soap+xml;charset=UTF-8"
BOUNDARY = b"Encrypted Boundary"
# GSS_C_CHANNEL_BOUND_FLAG of MIT krb5 1.19: the client named a binding, and it was the right one.
CHANNEL_BOUND = 0x800
MOST_BYTES = 32 * 1024 * 1024


def end_point_binding(certificate_file):
    """RFC 5929 4.1, with openssl's reading of the certificate's signature algorithm."""
    text = subprocess.run(
        ["openssl", "x509", "-in", certificate_file, "-noout", "-text"], check=True, capture_output=True, text=True
    ).stdout
    # RSASSA-PSS says its hash in a line of its own.
    named = re.search(r"Signature Algorithm: rsassaPss\s+Hash Algorithm: (\w+)", text)
    named = named or re.search(r"Signature Algorithm: \S*?(sha\d+|md5)", text, re.IGNORECASE)
    if named is None:
        return None
    name = named.group(1).lower()
    with open(certificate_file) as file:
        der = ssl.PEM_cert_to_DER_cert(file.read())
    digest = hashlib.new("sha256" if name in ("md5", "sha1") else name, der).digest()
    return b"tls-server-end-point:" + digest


def unsealed(context, body, protocol, is_ntlm):
    """MS-WSMV 2.2.9.1: two MIME parts, of which the second is a length, a token and the sealed text."""
    match = re.fullmatch(
        rb"--Encrypted Boundary\r\n\s*Content-Type: " + re.escape(protocol) + rb"\r\n"
        rb"\s*OriginalContent: type=([^\r\n]+);Length=(\d+)\r\n"
        rb"--Encrypted Boundary\r\n\s*Content-Type: application/octet-stream\r\n"
        rb"(.*)--Encrypted Boundary--\r\n",
        body,
        re.DOTALL,
    )
    if match is None:
        raise ValueError("not the layout of MS-WSMV 2.2.9.1")
    (token_length,) = struct.unpack_from("<I", match[3])
    if token_length != (16 if is_ntlm else 60):
        raise ValueError(f"a token of {token_length} bytes")
    result = context.unwrap(match[3][4:])
    if not result.encrypted:
        raise ValueError("only signed")
    if len(result.message) != int(match[2]):
        raise ValueError(f"{len(result.message)} bytes, announced as {match[2].decode()}")
    return result.message


def sealed(context, text, protocol, is_ntlm):
    if is_ntlm:
        whole = context.wrap(text, True).message
        token, data = whole[:16], whole[16:]
    else:
        # Without a trailer, the header takes what would have been in it: the 60 bytes that Windows sends.
        buffers = IOV(IOVBufferType.header, text, std_layout=False)
        wrap_iov(context, buffers, confidential=True)
        token, data = buffers[0].value, buffers[1].value
    return token, (
        b"--" + BOUNDARY + b"\r\n"
        b"Content-Type: " + protocol + b"\r\n"
        b"OriginalContent: type=" + SOAP.encode() + b";Length=" + str(len(text)).encode() + b"\r\n"
        b"--" + BOUNDARY + b"\r\n"
        b"Content-Type: application/octet-stream\r\n" + struct.pack("<I", len(token)) + token + data
    ) + b"--" + BOUNDARY + b"--\r\n"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "gss-server"
    sys_version = ""

    def setup(self):
        self.context = None
        self.is_ntlm = False
        if self.server.tls is not None:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def log_message(self, format, *args):
        print(format % args, flush=True)

    def answer(self, status, body=b"", content_type=SOAP, challenges=()):
        self.send_response(status)
        for challenge in challenges:
            self.send_header("WWW-Authenticate", challenge)
        if body:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, why):
        print(f"refused: {why}", flush=True)
        self.context = None
        self.answer(401, challenges=("Negotiate", "Kerberos"))

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length > MOST_BYTES:
            self.close_connection = True
            return self.answer(413)
        body = self.rfile.read(length)
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        reply = ()
        if scheme in ("Negotiate", "Kerberos"):
            try:
                out = self.step(base64.b64decode(token, validate=True))
            except (gssapi.exceptions.GSSError, ValueError, struct.error) as error:
                return self.refuse(str(error))
            reply = (f"{scheme} {base64.b64encode(out).decode()}",) if out else ()
            if not self.context.complete:
                return self.answer(401, challenges=reply)
        if self.context is None or not self.context.complete:
            return self.refuse("nobody has logged on")
        return self.serve(body, reply)

    def step(self, token):
        options = self.server.options
        if self.context is None or self.context.complete:
            bindings = None
            if options.cbt != "ignored" and self.server.binding is not None:
                bindings = ChannelBindings(application_data=self.server.binding)
            self.context = gssapi.SecurityContext(usage="accept", channel_bindings=bindings)
        self.is_ntlm = b"NTLMSSP\0" in token
        out = self.context.step(token)
        if self.context.complete:
            print(f"logged on: {self.context.initiator_name} flags {int(self.context.actual_flags):#x}", flush=True)
            if options.cbt == "required" and not int(self.context.actual_flags) & CHANNEL_BOUND:
                raise ValueError("no channel binding")
        return out

    def serve(self, body, challenges):
        options = self.server.options
        content_type = self.headers.get("Content-Type") or ""
        if not body:
            return self.answer(200, challenges=challenges)
        if not content_type.startswith("multipart/encrypted"):
            if options.encrypted_only:
                return self.answer(400, b"only encrypted", "text/plain", challenges)
            return self.answer(200, self.said(body), SOAP, challenges)
        match = re.fullmatch(
            r'multipart/encrypted;\s*protocol="(application/HTTP-(?:SPNEGO|Kerberos)-session-encrypted)";'
            r'\s*boundary="Encrypted Boundary"',
            content_type,
        )
        if match is None:
            return self.answer(400, b"another kind of multipart", "text/plain", challenges)
        protocol = match[1].encode()
        try:
            text = unsealed(self.context, body, protocol, self.is_ntlm)
        except (gssapi.exceptions.GSSError, ValueError, struct.error) as error:
            print(f"not unsealed: {error}", flush=True)
            return self.answer(500, challenges=challenges)
        token, answer = sealed(self.context, self.said(text), protocol, self.is_ntlm)
        if options.corrupt_answers:
            # In the middle of what is sealed.
            at = answer.index(token) + len(token) + (len(answer) - answer.index(token) - len(token)) // 2
            answer = answer[:at] + bytes([answer[at] ^ 1]) + answer[at + 1 :]
        return self.answer(200, answer, content_type, challenges)

    def said(self, text):
        return self.server.fixed or b"<echo>" + text + b"</echo>"


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        print(f"connection lost: {sys.exc_info()[1]}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"))
    # As Windows' CbtHardeningLevel: None, Relaxed (a wrong binding is refused, none is not), Strict.
    parser.add_argument("--cbt", choices=("ignored", "relaxed", "required"), default="ignored")
    parser.add_argument("--corrupt-answers", action="store_true")
    parser.add_argument("--encrypted-only", action="store_true")
    parser.add_argument("--answer", metavar="FILE", help="answer this instead of the echo")
    options = parser.parse_args()
    server = Server((options.address, options.port), Handler, bind_and_activate=False)
    server.options = options
    server.tls = server.binding = server.fixed = None
    if options.tls:
        server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.tls.load_cert_chain(*options.tls)
        server.binding = end_point_binding(options.tls[0])
    if options.answer:
        with open(options.answer, "rb") as file:
            server.fixed = file.read()
    server.server_bind()
    server.server_activate()
    server.serve_forever()


main()
