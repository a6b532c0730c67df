"""Certificates of an authority that exists for one test."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Authority:
    """Signs certificates with OpenSSL's command line."""

    def __init__(self, folder: Path, name: str = "test authority") -> None:
        """Make its own certificate: `bundle`."""
        self.folder = folder
        self.bundle = folder / "ca.pem"
        self._openssl("req", "-x509", *_NEW_KEY, "ca.key", "-out", "ca.pem", "-subj", f"/CN={name}", "-days", "2")

    def identity(self, name: str) -> tuple[Path, Path]:
        """A certificate for `name`, and its key."""
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName=DNS:{name},IP:127.0.0.1\n", encoding="utf-8")
        self._openssl("req", *_NEW_KEY, f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", extensions.name]
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signing)
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout")
