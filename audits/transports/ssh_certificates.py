"""OpenSSH host certificates (PROTOCOL.certkeys), verified against the authorities of known_hosts."""

from __future__ import annotations

import base64
import time
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)

from audits.transports.known_hosts import KnownHosts, fingerprint


def certificate_problem(algorithm: str, blob: bytes, host: str, port: int, known: KnownHosts) -> str:
    """Tell in words why a host certificate does not count, or nothing when it does.

    paramiko has verified that the server holds the certified key; here it is verified that an authority known for this
    host certified it, for this name and this time. `algorithm`: the host key algorithm agreed on.
    """
    type_ = algorithm.replace("rsa-sha2-512", "ssh-rsa").replace("rsa-sha2-256", "ssh-rsa")
    try:
        certificate = load_ssh_public_identity(f"{type_} {base64.b64encode(blob).decode()}".encode())
        if not isinstance(certificate, SSHCertificate) or certificate.type is not SSHCertificateType.HOST:
            return "it is no host certificate"
        certificate.verify_cert_signature()
        authority = _blob(certificate.signature_key())
        certified = _blob(certificate.public_key())
    except (ValueError, InvalidSignature, UnsupportedAlgorithm) as e:
        return f"it cannot be verified: {e or type(e).__name__}"
    trusted = base64.b64encode(authority).decode()
    names = [n.decode("utf-8", "replace") for n in certificate.valid_principals]
    problems = {
        "its key or its authority is revoked": known.revoked(authority) or known.revoked(certified),
        f"its authority {fingerprint(authority)} is not known for this host": all(
            e.key != trusted for e in known.authorities(host, port)
        ),
        "it is not valid now": not certificate.valid_after <= time.time() < certificate.valid_before,
        f"it is for {', '.join(names)[:100]}": names and host.lower() not in names,
        "it has critical options that are not known": certificate.critical_options,
    }
    return next((words for words, there in problems.items() if there), "")


def _blob(key: Any) -> bytes:
    return base64.b64decode(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1])
