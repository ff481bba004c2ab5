"""Traces: what happens where they are asked for and what sends them is not installed."""

import os
import subprocess
import sys

ASKED = "from vaultcrm.entrypoints.tracing import start_tracing; print(start_tracing())"
# Stands in the way of the extra, whether it is installed here or not.
WITHOUT_EXTRA = "import sys; sys.modules['opentelemetry.sdk.trace'] = None; "


def asked(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**plain, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


def test_nothing_is_traced_unless_it_is_asked_for() -> None:
    answer = asked(WITHOUT_EXTRA + ASKED)
    assert (answer.stdout.strip(), answer.stderr) == ("False", "")


def test_without_the_extra_a_process_runs_and_says_what_to_install() -> None:
    answer = asked(WITHOUT_EXTRA + ASKED, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert answer.stdout.strip() == "False"
    assert "pip install 'vaultcrm[telemetry]'" in answer.stderr
