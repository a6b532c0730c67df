"""What an environment is made of, as the builder takes it."""

from typing import TypedDict


class Interpreter(TypedDict):
    """An interpreter that environments are made from."""

    executable: str
    version: str
    abi: str


class Recipe(TypedDict):
    """What an environment is made of, as the builder takes it. Times are seconds."""

    home: str
    requirements: str | None
    roots: list[str]
    archives: list[str]
    editables: list[str]
    manifest: str
    manifest_version: str
    interpreter: Interpreter
    uv: str | None
    index_url: str | None
    extra_index_urls: list[str]
    find_links: list[str]
    offline: bool
    require_hashes: bool
    only_binary: bool
    pass_env: list[str]
    guard: list[str]
    timeout: float
    anew: bool
