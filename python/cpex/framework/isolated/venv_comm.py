"""The worker of CPEX 0.1.x and what speaks with it: one JSON object per line each way (W40).

For who drives one by hand. Plugins of kind `isolated_venv` run in processes that are watched and spoken with in frames.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import threading
import uuid
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import IO, Any, Final

from cpex.framework.settings import settings

__all__ = ["VenvProcessCommunicator"]

logger = logging.getLogger(__name__)

_PATIENCE: Final = 5.0
"""Seconds that a worker is given to end."""


class VenvProcessCommunicator:
    """One worker in a virtual environment.

    Attributes:
        venv_path: The environment.
        python_executable: Its interpreter.
        process: The worker; None until it is started.
    """

    def __init__(self, venv_path: str) -> None:
        """Find the interpreter.

        Args:
            venv_path: The environment.

        Raises:
            FileNotFoundError: If there is none.
        """
        self.venv_path = venv_path
        self.python_executable = self._get_python_executable()
        self.process: subprocess.Popen[bytes] | None = None
        self.running = False
        self.lock = threading.Lock()
        self._answers: dict[str, Future[Any]] = {}

    def _get_python_executable(self) -> str:
        path = Path(self.venv_path, "Scripts/python.exe" if os.name == "nt" else "bin/python")
        if not path.exists():
            raise FileNotFoundError(f"Python executable not found at {path}")
        return str(path)

    def upgrade_pip(self) -> None:
        """Install the newest pip.

        Raises:
            RuntimeError: If that fails.
        """
        self._pip("Failed to upgrade pip", "--upgrade", "pip")

    def install_requirements(self, requirements_file: str) -> None:
        """Install what a file requires.

        Args:
            requirements_file: The file; where there is none, nothing is done.

        Raises:
            RuntimeError: If that fails.
        """
        if Path(requirements_file).exists():
            self._pip(f"Failed to install requirements from {requirements_file}", "-r", requirements_file)

    def _pip(self, failed: str, *arguments: str) -> None:
        try:
            subprocess.run([self.python_executable, "-m", "pip", "install", *arguments], check=True)
        except subprocess.CalledProcessError as error:
            raise RuntimeError(failed) from error

    def start_worker(self, script_path: str) -> None:
        """Start the worker unless it runs.

        Args:
            script_path: Its program.
        """
        with self.lock:
            if self.is_alive():
                return
            self.process = subprocess.Popen(
                [self.python_executable, script_path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={"PLUGINS_CONFIG_FILE": settings.config_file},
            )
            self.running = True
            for read in (self._read_responses, self._read_stderr):
                threading.Thread(target=read, args=(self.process,), daemon=True).start()

    def _read_responses(self, process: subprocess.Popen[bytes]) -> None:
        for line in _lines(process.stdout):
            try:
                answer = json.loads(line)
                waiting = self._answers.get(answer["request_id"])
            except (ValueError, TypeError, KeyError):
                logger.warning("What the worker wrote is no answer")
                continue
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)
        logger.debug("Worker process stdout closed")

    def _read_stderr(self, process: subprocess.Popen[bytes]) -> None:
        for line in _lines(process.stderr):
            logger.debug("Worker: %s", line.decode(errors="replace").rstrip())

    def send_task(
        self, script_path: str, task_data: Any, timeout: float = 30.0, max_content_size: int = 10_000_000
    ) -> Any:
        """Give the worker a task, and wait for the answer. It is started if need be.

        Args:
            script_path: Its program.
            task_data: The task, an object for JSON.
            timeout: Seconds to wait.
            max_content_size: The most characters that the task may have.

        Returns:
            The answer.

        Raises:
            RuntimeError: If the task is too long, the answer does not come, or it is an error.
        """
        request_id = str(uuid.uuid4())
        text = json.dumps({**task_data, "request_id": request_id})
        if len(text) > max_content_size:
            raise RuntimeError(f"task_data exceeds max_content_size.  {len(text)}")
        self.start_worker(script_path)
        waiting: Future[Any] = Future()
        self._answers[request_id] = waiting
        try:
            self._write(text)
            answer = waiting.result(timeout)
        except FutureTimeoutError:
            raise RuntimeError(f"Worker process timed out after {timeout} seconds") from None
        finally:
            del self._answers[request_id]
        if isinstance(answer, dict) and answer.get("status") == "error":
            raise RuntimeError(f"Worker process error: {answer.get('message')}")
        return answer

    def _write(self, text: str) -> None:
        with self.lock:
            assert self.process is not None and self.process.stdin is not None
            try:
                self.process.stdin.write(f"{text}\n".encode())
                self.process.stdin.flush()
            except OSError as error:
                raise RuntimeError(f"Worker process error: {error}") from error

    def stop_worker(self) -> None:
        """End the worker: it is asked to, and killed if it does not."""
        process, self.running = self.process, False
        if process is None:
            return
        try:
            if process.poll() is None:
                self._write(json.dumps({"task_type": "shutdown", "request_id": "shutdown"}))
                process.wait(_PATIENCE)
        except (RuntimeError, subprocess.TimeoutExpired):
            logger.warning("Worker process did not terminate gracefully, killing it")
            process.kill()
            process.wait()
        self.process = None

    def is_alive(self) -> bool:
        """Tell whether the worker runs.

        Returns:
            True if it was started and has not ended.
        """
        return self.process is not None and self.process.poll() is None

    def __del__(self) -> None:
        if getattr(self, "process", None) is not None:
            self.stop_worker()


def _lines(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
