"""The PLUGINS_* variables, area by area (F12, F13, B31)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from cpex.framework import settings as settings_module
from cpex.framework.settings import (
    PluginsClientMtlsSettings,
    PluginsSettings,
    PluginsTransportSettings,
    settings,
)


@pytest.fixture(autouse=True)
def fresh_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_defaults() -> None:
    names = (
        "cli_completion",
        "cli_markup_mode",
        "config_file",
        "config_path",
        "default_hook_policy",
        "enabled",
        "execution_pool",
        "fail_on_plugin_error",
        "plugin_timeout",
        "ssrf_protection_enabled",
        "transport",
        "unix_socket_path",
        "log_level",
        "httpx_max_connections",
        "httpx_keepalive_expiry",
    )
    assert [getattr(settings, name) for name in names] == [
        False,
        None,
        "plugins/config.yaml",
        None,
        "allow",
        False,
        10,
        False,
        30,
        True,
        None,
        None,
        "INFO",
        200,
        30.0,
    ]


@pytest.mark.parametrize(
    ("value", "enabled"),
    [("1", True), ("YES", True), (" true ", True), ("On", True), ("t", False), ("zzz", False), ("", False)],
)
def test_enabled_follows_the_live_environment(monkeypatch: pytest.MonkeyPatch, value: str, enabled: bool) -> None:
    assert settings.enabled is False
    monkeypatch.setenv("PLUGINS_ENABLED", value)
    assert settings.enabled is enabled


def test_areas_are_cached_until_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.execution_pool == 10
    monkeypatch.setenv("PLUGINS_EXECUTION_POOL", "7")
    assert settings.execution_pool == 10
    settings.cache_clear()
    assert settings.execution_pool == 7


def test_a_malformed_variable_breaks_its_area_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGINS_PLUGIN_TIMEOUT", "soon")
    assert settings.ssrf_protection_enabled is True
    assert settings.default_hook_policy == "allow"
    with pytest.raises(ValidationError, match="plugin_timeout"):
        _ = settings.config_file


def test_dot_env_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PLUGINS_EXECUTION_POOL=4\nPLUGINS_ENABLED=true\nPLUGINS_UNHEARD_OF=1\n")
    assert (settings.execution_pool, settings.enabled) == (4, True)
    monkeypatch.setenv("PLUGINS_EXECUTION_POOL", "5")
    settings.cache_clear()
    assert settings.execution_pool == 5


def test_a_negative_pool_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGINS_EXECUTION_POOL", "-3")
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        _ = settings.execution_pool


def test_blank_optional_numbers_and_switches_are_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGINS_CLIENT_MTLS_VERIFY", "")
    monkeypatch.setenv("PLUGINS_CLIENT_MTLS_CHECK_HOSTNAME", "  ")
    monkeypatch.setenv("PLUGINS_SERVER_PORT", "")
    read = PluginsClientMtlsSettings()
    assert (read.client_mtls_verify, read.client_mtls_check_hostname) == (None, None)
    assert PluginsSettings().server_port is None


def test_socket_path_has_two_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIX_SOCKET_PATH", "/u")
    monkeypatch.setenv("PLUGINS_UNIX_SOCKET_PATH", "/p")
    assert PluginsSettings().unix_socket_path == "/p"
    assert PluginsTransportSettings().unix_socket_path == "/u"


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGINS_CLIENT_MTLS_KEYFILE_PASSWORD", "hunter2")
    assert "hunter2" not in repr(PluginsClientMtlsSettings())


def test_unknown_setting() -> None:
    with pytest.raises(AttributeError, match="'PluginsSettings' object has no attribute 'zzz'"):
        _ = settings.zzz
    with pytest.raises(AttributeError):
        _ = settings_module.PluginsNothing


def test_importing_reads_nothing_and_needs_no_settings_library() -> None:
    code = "import sys, cpex.framework.settings; print('pydantic_settings' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_what_a_start_reads_has_one_default() -> None:
    """While nothing is said of them they are not read from their classes."""
    startup, policy = settings_module.PluginsStartupSettings, settings_module.PluginsPolicySettings
    assert {name.upper() for name in startup.model_fields} == settings_module._STARTUP
    assert {name.upper() for name in policy.model_fields} == settings_module._POLICY
    assert settings.execution_pool == startup().execution_pool
    assert settings.default_hook_policy == policy().default_hook_policy


@pytest.mark.parametrize("name", ["PLUGINS_EXECUTION_POOL", "plugins_execution_pool"])
def test_a_start_reads_variables(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "3")
    assert settings.execution_pool == 3


def test_a_start_reads_a_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PLUGINS_DEFAULT_HOOK_POLICY=deny\n", encoding="utf-8")
    assert settings.default_hook_policy == "deny"


@pytest.mark.parametrize("first", ["deny", "allow"])
def test_what_was_read_once_stays(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if first == "deny":
        monkeypatch.setenv("PLUGINS_DEFAULT_HOOK_POLICY", "deny")
        assert settings_module.get_policy_settings().default_hook_policy == "deny"
        monkeypatch.delenv("PLUGINS_DEFAULT_HOOK_POLICY")
    else:
        assert settings.default_hook_policy == "allow"
        monkeypatch.setenv("PLUGINS_DEFAULT_HOOK_POLICY", "deny")
    assert settings.default_hook_policy == first


def test_any_bad_variable_of_its_area_ends_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGINS_PLUGIN_TIMEOUT", "soon")
    with pytest.raises(ValidationError):
        _ = settings.execution_pool


def test_a_start_imports_no_classes_of_settings_while_nothing_is_said() -> None:
    program = (
        "import asyncio, sys\n"
        "from cpex.framework import PluginManager\n"
        "from cpex.framework.models import Config, PluginConfig\n"
        "from cpex.framework.manager import TenantPluginManager\n"
        "plugins = [PluginConfig(name='deny', kind='builtin.deny_list', config={'words': ['x']})]\n"
        "manager = TenantPluginManager(Config(plugins=plugins))\n"
        "asyncio.run(manager.initialize())\n"
        "assert manager.plugin_count == 1, manager.load_failures\n"
        "print('pydantic_settings' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
