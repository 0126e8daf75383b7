from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.schemas.errors import BrokerUnavailable
from snowshed.streams.broker.jars import KAFKA_VERSION, ensure_jars
from snowshed.streams.broker.java import Java
from snowshed.streams.broker.maven import cache_root, parse_manifest, verify_jars
from snowshed.streams.broker.package_data import package_data

_JAVA = Java(Path("/opt/java/bin/java"), 17, "test")


def _fill(folder: Path, jars: dict[str, bytes]) -> dict[str, str]:
    for name, content in jars.items():
        (folder / name).write_bytes(content)
    return {name: hashlib.sha256(content).hexdigest() for name, content in jars.items()}


def test_the_committed_manifest_lists_this_version_of_kafka_with_whole_digests() -> None:
    manifest = parse_manifest(package_data("jars.sha256").decode())
    assert len(manifest) == 92
    assert f"kafka_2.13-{KAFKA_VERSION}.jar" in manifest
    assert all(len(bytes.fromhex(digest)) == 32 for digest in manifest.values())


def test_the_downloaded_version_is_the_one_the_module_names() -> None:
    assert package_data("pom.xml").decode().count(f"<version>{KAFKA_VERSION}</version>") == 2


@given(
    st.dictionaries(st.from_regex(r"[a-z][a-z0-9.-]{0,20}\.jar", fullmatch=True), st.binary(min_size=32, max_size=32))
)
def test_a_manifest_is_read_back_as_it_was_written(entries: dict[str, bytes]) -> None:
    text = "".join(f"{digest.hex()}  {name}\n" for name, digest in entries.items())
    assert parse_manifest(text) == {name: digest.hex() for name, digest in entries.items()}


def test_jars_that_match_their_manifest_pass(tmp_path: Path) -> None:
    verify_jars(tmp_path, _fill(tmp_path, {"a.jar": b"a", "b.jar": b"b"}))


def test_a_changed_jar_is_named(tmp_path: Path) -> None:
    manifest = _fill(tmp_path, {"a.jar": b"a", "b.jar": b"b"})
    (tmp_path / "b.jar").write_bytes(b"changed")
    with pytest.raises(BrokerUnavailable, match=r"^b\.jar does not match its checksum"):
        verify_jars(tmp_path, manifest)


def test_a_missing_jar_is_named(tmp_path: Path) -> None:
    manifest = _fill(tmp_path, {"a.jar": b"a", "b.jar": b"b"})
    (tmp_path / "a.jar").unlink()
    with pytest.raises(BrokerUnavailable, match=r"did not deliver a\.jar"):
        verify_jars(tmp_path, manifest)


def test_a_jar_that_the_manifest_does_not_know_is_named(tmp_path: Path) -> None:
    manifest = _fill(tmp_path, {"a.jar": b"a"})
    (tmp_path / "stranger.jar").write_bytes(b"")
    with pytest.raises(BrokerUnavailable, match=r"stranger\.jar in the download"):
        verify_jars(tmp_path, manifest)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"SNOWSHED_CACHE": "/own", "XDG_CACHE_HOME": "/user"}, "/own"),
        ({"XDG_CACHE_HOME": "/user"}, "/user/snowshed"),
    ],
)
def test_the_cache_follows_the_environment(environ: dict[str, str], expected: str) -> None:
    assert cache_root(environ) == Path(expected)


def _fake_maven(folder: Path, script: str) -> None:
    program = folder / "mvn"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_a_failed_download_leaves_nothing_behind_and_shows_what_maven_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_maven(tmp_path, "echo 'Could not transfer artifact'; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    root = tmp_path / "cache"
    with pytest.raises(BrokerUnavailable, match="Could not transfer artifact"):
        ensure_jars(_JAVA, root=root)
    assert [path.name for path in root.iterdir()] == ["kafka.lock"]


def test_a_tampered_download_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = " ".join(parse_manifest(package_data("jars.sha256").decode()))
    _fake_maven(tmp_path, f'for last; do :; done; cd_to=${{last#*=}}; mkdir -p "$cd_to"; cd "$cd_to"; touch {names}')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    root = tmp_path / "cache"
    with pytest.raises(BrokerUnavailable, match="does not match its checksum"):
        ensure_jars(_JAVA, root=root)
    assert [path.name for path in root.iterdir()] == ["kafka.lock"]


def test_a_verified_cache_is_used_without_maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = package_data("jars.sha256")
    stamp = hashlib.sha256(data).hexdigest()
    folder = tmp_path / f"kafka-{KAFKA_VERSION}-{stamp[:12]}"
    folder.mkdir()
    (folder / ".verified").write_text(stamp)
    for name in parse_manifest(data.decode()):
        (folder / name).touch()
    monkeypatch.setenv("PATH", "")
    told: list[str] = []
    assert ensure_jars(_JAVA, root=tmp_path, progress=told.append) == folder
    assert told == []


def test_a_missing_maven_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BrokerUnavailable, match="apt-get install maven"):
        ensure_jars(_JAVA, root=tmp_path)
