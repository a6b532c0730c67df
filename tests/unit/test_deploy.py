"""What is in `deploy/` is valid, and starts servers with options that exist and times that fit together."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cpex.framework.external._server.service import FAREWELL
from cpex.framework.loader.config import ConfigLoader

DEPLOY = Path(__file__).parents[2] / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
PLUGINS = 5.0
"""Seconds for plugins to shut down."""
AS_OBJECTS = 10
"""How much larger a payload of JSON is as Python objects."""
AT_REST = 128 << 20
"""What a server takes that does nothing."""


def documents() -> list[dict[str, Any]]:
    return [document for path in MANIFESTS for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def the(kind: str) -> dict[str, Any]:
    (found,) = (document for document in documents() if document["kind"] == kind)
    return found


def pod() -> dict[str, Any]:
    spec: dict[str, Any] = the("Deployment")["spec"]["template"]["spec"]
    return spec


def unit() -> dict[str, str]:
    lines = (DEPLOY / "cpex-server.service").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def dockerfile_command() -> list[str]:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    (command,) = (line.removeprefix("CMD ") for line in lines if line.startswith("CMD "))
    words: list[str] = yaml.safe_load(command)
    return words


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_fit_the_schemas_of_kubernetes(path: Path) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        validate.validate(document, validate.latest_version(), strict=True)


def test_the_dockerfile_is_clean() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    found = subprocess.run([hadolint, str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    text = (DEPLOY / "cpex-server.service").read_text(encoding="utf-8")
    path = tmp_path / "cpex-server.service"
    path.write_text(text.replace("/opt/cpex/bin/cpex", sys.executable), encoding="utf-8")
    found = subprocess.run([analyze, "verify", "--man=no", str(path)], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize("words", ["systemd", "docker", "kubernetes"])
def test_options_exist(words: str) -> None:
    lines = {
        "systemd": shlex.split(unit()["ExecStart"]),
        "docker": dockerfile_command(),
        "kubernetes": pod()["containers"][0]["args"],
    }
    told = subprocess.run([sys.executable, "-m", "cpex", "serve", "--help"], capture_output=True, text=True, check=True)
    used = set(OPTION.findall(" ".join(lines[words])))
    assert {"--status", "--token-file", "--grace"} <= used
    assert used <= set(OPTION.findall(told.stdout))


def test_a_drain_has_the_time_it_was_given() -> None:
    """Calls under way are not cut off by whoever stops the server."""

    def grace(words: list[str]) -> float:
        said = re.search(r"--grace[= ](\d+)", " ".join(words))
        assert said is not None
        return float(said[1])

    assert grace(shlex.split(unit()["ExecStart"])) + FAREWELL + PLUGINS < float(unit()["TimeoutStopSec"])
    container = pod()["containers"][0]
    before = float(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert before + grace(container["args"]) + FAREWELL + PLUGINS < pod()["terminationGracePeriodSeconds"]


def test_one_client_cannot_use_up_the_memory() -> None:
    """Calls times their size, and what Python makes of them, is less than what the server may have."""
    units = {"Mi": 1 << 20, "Gi": 1 << 30, "G": 1 << 30}

    def held(words: list[str]) -> float:
        calls, size = (re.search(rf"{option}[= ](\d+)", " ".join(words)) for option in ("--max-calls", "--max-message"))
        assert calls is not None
        assert size is not None
        return int(calls[1]) * int(size[1]) * AS_OBJECTS + AT_REST

    def allowed(text: str) -> int:
        number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()  # type: ignore[union-attr]
        return int(number) * units[unit]

    assert held(shlex.split(unit()["ExecStart"])) < allowed(unit()["MemoryMax"])
    container = pod()["containers"][0]
    assert held(container["args"]) < allowed(container["resources"]["limits"]["memory"])


def test_objects_name_each_other() -> None:
    container = pod()["containers"][0]
    labels = the("Deployment")["spec"]["template"]["metadata"]["labels"].items()
    selectors = [
        the("Deployment")["spec"]["selector"]["matchLabels"],
        the("Service")["spec"]["selector"],
        the("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        the("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]
    assert all(selector and selector.items() <= labels for selector in selectors)
    ports = {port["name"] for port in container["ports"]}
    probes = {container[probe]["httpGet"]["port"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    rules = {port["port"] for rule in the("NetworkPolicy")["spec"]["ingress"] for port in rule["ports"]}
    assert probes | rules | {port["targetPort"] for port in the("Service")["spec"]["ports"]} == ports
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod()["volumes"]}
    assert the("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == the("Deployment")["metadata"]["name"]


def test_the_configuration_is_one(tmp_path: Path) -> None:
    path = tmp_path / "server.yaml"
    path.write_text(the("ConfigMap")["data"]["server.yaml"], encoding="utf-8")
    config = ConfigLoader.load_config(str(path))
    assert [plugin.name for plugin in config.plugins or []] == ["no_secrets_please"]
