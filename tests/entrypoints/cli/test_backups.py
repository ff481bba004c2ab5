"""`vaultcrm backup` and `vaultcrm restore` on the embedded server, as a person uses them."""

import zipfile
from pathlib import Path

from tests.entrypoints.cli.running import environment, vaultcrm


def test_what_is_backed_up_in_one_home_is_there_in_another_and_nothing_is_lost_on_the_way(
    home: Path, tmp_path: Path
) -> None:
    here = environment(home / "here")
    there = environment(home / "there")
    file = tmp_path / "all.zip"
    assert vaultcrm(here, "user", "add", "jo@example.com", "--role", "admin").returncode == 0
    written = vaultcrm(here, "backup", str(file))
    assert written.returncode == 0, written.stderr
    assert f"Wrote {file}" in written.stdout
    assert (home / "here" / "signing.key").read_bytes() not in file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None

    restored = vaultcrm(there, "restore", str(file))
    assert restored.returncode == 0, restored.stderr
    assert "Each table was compared with the backup." in restored.stdout
    assert "another installation's key" in restored.stderr
    again = vaultcrm(there, "user", "add", "jo@example.com", "--role", "admin")
    assert again.returncode == 1

    refused = vaultcrm(there, "restore", str(file))
    assert refused.returncode == 1
    assert "--replace" in refused.stderr
    replaced = vaultcrm(there, "restore", str(file), "--replace")
    assert replaced.returncode == 0, replaced.stderr
    [copy] = (home / "there" / "backups").iterdir()
    assert str(copy) in replaced.stdout.replace("\n", "")
    assert vaultcrm(there, "backup", str(file)).returncode == 1
