"""Each kind of database that the store can be."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Dialect, Engine, create_engine

from airflow_provider_d360.store import Store, engines
from tests.store.postgres import Postgres, serve


@pytest.fixture(scope="session", autouse=True)
def statements_compiled_once() -> Iterator[None]:
    """Let the stores of all tests share what SQLAlchemy compiles: for each new store it would begin anew."""
    dialects: dict[str, Dialect] = {}
    compiled: dict[str, dict[Any, Any]] = {}

    def create(url: URL, **options: Any) -> Engine:
        engine = create_engine(url, **options)
        known = dialects.get(engine.dialect.name)
        # A dialect learns from its own engine's first connection which server it speaks to; some tests have none.
        if known is not None and getattr(known, "server_version_info", None):
            engine.dialect = known
        else:
            dialects[engine.dialect.name] = engine.dialect
        engine.update_execution_options(compiled_cache=compiled.setdefault(engine.dialect.name, {}))
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "create_engine", create)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    yield from serve()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Name an empty database; for a test that is given its store, one whose tables are there already."""
    is_opened = "store" in request.fixturenames
    if request.param == "sqlite":
        file = tmp_path / "store.sqlite"
        if is_opened:
            shutil.copy(request.getfixturevalue("opened_file"), file)
        yield f"sqlite:///{file}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    if is_opened:
        with server.used_schema(open_once) as schema:
            yield schema
    else:
        yield server.new_schema()


@pytest.fixture(scope="session")
def opened_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite file with the tables of a store: to make them takes longer than most tests."""
    file = tmp_path_factory.mktemp("opened") / "store.sqlite"
    open_once(f"sqlite:///{file}")
    return file


def open_once(url: str) -> None:
    with closing(Store(url)) as store:
        store._database.read(lambda connection: None)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.close()
