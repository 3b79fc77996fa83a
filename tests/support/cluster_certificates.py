"""People whom a cluster knows by a certificate alone: issued by the cluster itself, as administrators do it."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.support.cluster import Cluster

WITHIN = 60.0


def by_certificate(cluster: Cluster, name: str, path: Path) -> Path:
    """A kubeconfig in ``path`` with which ``name`` comes: a new user, without rights."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    found = yaml.safe_load(cluster.kubeconfig.read_text())
    user = {
        "client-certificate-data": _issued(cluster, name, request.public_bytes(Encoding.PEM)),
        "client-key-data": _text(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())),
    }
    found["users"] = [{"name": found["contexts"][0]["context"]["user"], "user": user}]
    path.write_text(yaml.safe_dump(found))
    return path


def _issued(cluster: Cluster, name: str, request: bytes) -> str:
    spec = {"request": _text(request), "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]}
    cluster.create({
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": spec,
    })  # fmt: skip
    cluster.kubectl("certificate", "approve", name)
    ends = time.monotonic() + WITHIN
    while not (issued := cluster.get("csr", name)["status"].get("certificate")):
        assert time.monotonic() < ends, f"no certificate for {name}"
        time.sleep(0.1)
    cluster.kubectl("delete", "csr", name)
    return str(issued)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
