"""Qt's own warnings: to standard error, but for those that only say that there is no screen."""

from __future__ import annotations

import sys
from typing import Any

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

OF_NO_SCREEN = ("This plugin does not support",)


def install() -> None:
    """Handle all messages from now on."""
    qInstallMessageHandler(_show)


def _show(kind: QtMsgType, context: QMessageLogContext, message: str) -> Any:
    if not message.startswith(OF_NO_SCREEN):
        print(f"Qt {kind.name.removeprefix('Qt').removesuffix('Msg').lower()}: {message}", file=sys.stderr)
