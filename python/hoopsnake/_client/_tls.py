"""What a client's `verify` says: whom it trusts, as far as rustls can honour it."""

from __future__ import annotations

import dataclasses
import os
import ssl

TLS_1_2 = 0x303
TLS_1_3 = 0x304


@dataclasses.dataclass(frozen=True, slots=True)
class Trust:
    """What the engine reads of it."""

    verify: bool = True
    ca_file: str | None = None
    # Certificates to trust, as DER.
    authorities: list[bytes] | None = None
    any_name: bool = False
    without_tls12: bool = False
    without_tls13: bool = False


def as_trust(verify: bool | str | os.PathLike[str] | ssl.SSLContext) -> Trust:
    """Read what may be given for `verify`. Raises ValueError for a context that asks for more."""
    if isinstance(verify, bool):
        return Trust(verify=verify)
    if isinstance(verify, str | os.PathLike):
        return Trust(ca_file=os.fspath(verify))
    if isinstance(verify, ssl.SSLContext):
        return of_context(verify)
    raise TypeError(
        "verify is True, False, the path of a file of certificates or an ssl.SSLContext, "
        f"not {verify!r}"
    )


def of_context(context: ssl.SSLContext) -> Trust:
    """Read a context: its authorities, whether it verifies, names, and the versions of TLS."""
    crl = ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF | ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
    if context.verify_flags & crl:
        raise refused("asks for lists of revoked certificates (verify_flags)")
    least, most = context.minimum_version, context.maximum_version
    if most != ssl.TLSVersion.MAXIMUM_SUPPORTED and most < TLS_1_2:
        raise refused(f"allows no TLS above {most.name}, and 1.2 is the least here")
    without_tls12 = least >= TLS_1_3 or bool(context.options & ssl.OP_NO_TLSv1_2)
    without_tls13 = most == TLS_1_2 or bool(context.options & ssl.OP_NO_TLSv1_3)
    if without_tls12 and without_tls13:
        raise refused("allows neither TLS 1.2 nor TLS 1.3")
    if context.verify_mode == ssl.CERT_NONE:
        return Trust(verify=False, without_tls12=without_tls12, without_tls13=without_tls13)
    authorities = context.get_ca_certs(binary_form=True)
    if not authorities:
        raise refused(
            "shows no certificates that it trusts: OpenSSL reads a folder of them (capath) when it "
            "needs them, and does not tell. Load a file (cafile), or use verify=True for what the "
            "system trusts"
        )
    return Trust(
        authorities=authorities,
        any_name=not context.check_hostname,
        without_tls12=without_tls12,
        without_tls13=without_tls13,
    )


def refused(why: str) -> ValueError:
    """Say why a context is not taken."""
    return ValueError(
        f"this ssl.SSLContext cannot be honoured, as TLS is rustls here and not OpenSSL: it {why}"
    )
