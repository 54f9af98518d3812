"""Certificates come from others: however broken, they are refused and never crash a node."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from identity_federation import A, Federation, found

from mpc.errors import IdentityError
from parties.identity.bundle import check_member, read_bundle
from parties.identity.certificates import describe, parse_der


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    return found(tmp_path_factory.mktemp("federation"))


@pytest.mark.parametrize("part", ["tls_certificate", "signing_certificate"])
@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_changed_certificate_is_refused(shared: Federation, part: str, data: st.DataObject) -> None:
    bundle = read_bundle(shared.bundle(A))
    good: bytes = getattr(bundle.member, part)
    position = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != good[position]))
    broken = good[:position] + bytes([byte]) + good[position + 1 :]

    with pytest.raises(IdentityError):
        check_member(replace(bundle.member, **{part: broken}), bundle.authority)
    with contextlib.suppress(IdentityError):
        assert describe(parse_der(broken))


@given(data=st.binary(max_size=2000))
@settings(max_examples=100, deadline=None)
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    with pytest.raises(IdentityError):
        parse_der(data)


def test_bundle_is_refused_when_cut_anywhere(shared: Federation, tmp_path: Path) -> None:
    whole = shared.bundle(A).read_bytes()
    path = tmp_path / "cut.pem"
    for length in range(0, len(whole) - 2, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(Exception, match=r"PLY-[UI]001"):
            read_bundle(path)
