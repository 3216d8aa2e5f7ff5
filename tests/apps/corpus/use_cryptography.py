"""Fernet, AES-GCM, Ed25519, key derivation, an X.509 certificate."""

import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.x509.oid import NameOID

box = Fernet(Fernet.generate_key())
assert box.decrypt(box.encrypt(b"secret")) == b"secret"
key = PBKDF2HMAC(hashes.SHA256(), 32, b"salt", 1000).derive(b"password")
assert AESGCM(key).decrypt(b"0" * 12, AESGCM(key).encrypt(b"0" * 12, b"data", b"more"), b"more") == b"data"
signer = ed25519.Ed25519PrivateKey.generate()
signer.public_key().verify(signer.sign(b"text"), b"text")
try:
    signer.public_key().verify(signer.sign(b"text"), b"other")
except InvalidSignature:
    pass
else:
    raise AssertionError("a wrong signature was taken")
private = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.org")])
start = datetime.datetime(2024, 1, 1)
certificate = (
    x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
    .serial_number(x509.random_serial_number()).not_valid_before(start)
    .not_valid_after(start + datetime.timedelta(days=30)).sign(private, hashes.SHA256())
)  # fmt: skip
again = x509.load_pem_x509_certificate(certificate.public_bytes(serialization.Encoding.PEM))
assert again.subject == name
