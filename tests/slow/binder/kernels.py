"""Run notebooks as a browser does: over the REST and websocket addresses of a server."""

from __future__ import annotations

import json
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import websocket
from executions import note

SECONDS = 180


class Kernel:
    """A kernel on a Jupyter server."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self._socket = socket

    def run(self, code: str) -> list[dict[str, Any]]:
        """Run a cell, and return what it sends: ``{"msg_type": ..., "content": ...}``."""
        header = {
            "msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3",
            "session": "test", "username": "test", "date": "",
        }  # fmt: skip
        content = {"code": code, "silent": False, "store_history": True, "stop_on_error": False}
        request = {"header": header, "content": {**content, "allow_stdin": False}}
        request |= {"channel": "shell", "parent_header": {}, "metadata": {}, "buffers": []}
        self._socket.send(json.dumps(request))
        found, idle, replied = [], False, False
        while not (idle and replied):
            message = self._receive()
            state = message["content"].get("execution_state")
            assert state not in ("restarting", "dead"), f"the kernel died in the cell\n{code}"
            if message["parent_header"].get("msg_id") == header["msg_id"]:
                found.append({key: message[key] for key in ("msg_type", "content")})
                idle = idle or state == "idle"
                replied = replied or message["msg_type"] == "execute_reply"
        return found

    def _receive(self) -> dict[str, Any]:
        """The next message; those with binary parts belong to widgets and are left out."""
        while not isinstance(text := self._socket.recv(), str):
            pass
        return json.loads(text)


@contextmanager
def running_kernel(address: str, token: str, notebook: str) -> Iterator[Kernel]:
    """A kernel for a notebook of the server, ready to run cells."""

    def ask(method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{address}{path}",
            method=method,
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"token {token}"},
        )
        with urllib.request.urlopen(request, timeout=SECONDS) as reply:
            return json.loads(reply.read() or "null")

    body = {"path": notebook, "name": "", "type": "notebook", "kernel": {"name": "python3"}}
    session = ask("POST", "/api/sessions", body)
    channels = f"{address}/api/kernels/{session['kernel']['id']}/channels?token={token}"
    socket = websocket.create_connection(channels.replace("http", "ws", 1), timeout=SECONDS)
    try:
        kernel = Kernel(socket)
        kernel.run("")
        yield kernel
    finally:
        socket.close()
        ask("DELETE", f"/api/sessions/{session['id']}")


def unexpected_errors(kernel: Kernel, path: Path) -> list[str]:
    """Run a notebook from top to bottom; the errors of cells that are not tagged to have one."""
    note("Binder's Lab and memory", path)
    found = []
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "code":
            errors = [m["content"] for m in kernel.run(cell.source) if m["msg_type"] == "error"]
            if "raises-exception" not in cell.metadata.get("tags", []):
                found += [f"{error['ename']}: {error['evalue']}" for error in errors]
    return found
