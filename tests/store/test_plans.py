"""Which index SQLite chooses, where the wrong one costs seconds. It has no statistics unless somebody asks for them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event

from airflow_provider_d360.store import Store
from airflow_provider_d360.store.campaign_rows import Part
from airflow_provider_d360.store.campaigns import Campaign

OF_DAGS = "dag_id IN ('a', 'b') AND at >= 1 AND at < 2"
PLANS = {
    "the newest messages of some DAGs": (
        f"{OF_DAGS} ORDER BY at DESC LIMIT 101",
        "d360_ledger_at (at>? AND at<?)",
    ),
    "the messages to one person": (
        f"{OF_DAGS} AND recipient_hash = 'h' ORDER BY at DESC LIMIT 101",
        "d360_ledger_recipient (recipient_hash=?)",
    ),
    "a row from before the ledger": (
        "scope IS NULL AND dag_id = 'a' AND run_id = 'r' AND task_id = 't' AND map_index = -1",
        "d360_ledger_task (dag_id=? AND run_id=? AND task_id=?)",
    ),
}


@pytest.mark.parametrize(("where", "index"), PLANS.values(), ids=PLANS)
def test_rows_are_found_by_the_index_for_them(tmp_path: Path, where: str, index: str) -> None:
    with closing(Store(f"sqlite:///{tmp_path}/store.sqlite")) as store:
        store.check_writable()
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as connection:
        rows = connection.execute("EXPLAIN QUERY PLAN SELECT id, state FROM d360_ledger WHERE " + where)  # noqa: S608 - ours
        assert index in " ".join(row[3] for row in rows)


def test_a_heartbeat_reads_new_failures_by_their_index(tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{tmp_path}/store.sqlite")) as store:
        campaign = Campaign(0, "spring", "d360_default", "", "", "", False, {}, "content")
        lease = store.campaign_senders.take(Part(store.campaigns.begin(campaign).key), "me", 60.0)
        assert lease is not None
        statements: list[tuple[str, tuple[object, ...]]] = []

        def note(
            connection: object, cursor: object, statement: str, values: tuple[object, ...], *_: object
        ) -> None:
            statements.append((statement, values))

        event.listen(store._database._open(), "before_cursor_execute", note)
        store.campaign_senders.beat(lease, None)
    statement, values = next(one for one in statements if "d360_message_statuses" in one[0])
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as connection:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        assert "d360_statuses_failed (received_at>?)" in " ".join(row[3] for row in rows)


def test_opt_outs_of_many_people_are_found_by_their_key(tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{tmp_path}/store.sqlite")) as store:
        store.check_writable()
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as connection:
        rows = connection.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM d360_suppressions "
            "WHERE active AND person IN (SELECT value FROM json_each('[]'))"
        )
        assert "sqlite_autoindex_d360_suppressions_1 (person=?)" in " ".join(row[3] for row in rows)
