"""The log as lines of JSON, one an event, for systems that collect logs.

What `logs` takes out of a line is out of it here too. Of a request there is its id, route, status
and time; no address, no query, no header.
"""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from vaultcrm.controls.monitoring.request_id import current_request_id
from vaultcrm.settings import Settings


class JsonLines(logging.Formatter):
    """One line for each record: time, level, logger, message, and what is known besides."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": os.getpid(),
        }
        request_id = current_request_id()
        if request_id is not None:
            line["requestId"] = request_id
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            line |= fields
        if record.exc_text is None and record.exc_info:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line["error"] = record.exc_text
        return json.dumps(line, ensure_ascii=False, default=str)


def log_as_set(settings: Settings, stream: TextIO | None = None) -> bool:
    """Log as `VAULTCRM_LOG_FORMAT` says; whether that is JSON.

    As text, requests are not logged and warnings are, as Python does it by itself.
    """
    if settings.vaultcrm_log_format == "text":
        return False
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("vaultcrm").setLevel(logging.INFO)
    return True
