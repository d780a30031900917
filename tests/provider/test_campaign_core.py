"""The pure core of campaigns: columns, rows, windows, verdicts, stop rules, thresholds."""

from __future__ import annotations

import json
import math
from datetime import datetime, time, timezone

import pytest

from airflow_provider_d360.api.codes import META
from airflow_provider_d360.api.endpoints.messages import send_message
from airflow_provider_d360.api.errors import (
    D360AmbiguousError,
    D360AuthError,
    D360UnavailableError,
    ErrorDetail,
)
from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE
from airflow_provider_d360.api.responses import failed_status
from airflow_provider_d360.campaigns.audience import InvalidRowError, RowReader
from airflow_provider_d360.campaigns.calls import CallMaker
from airflow_provider_d360.campaigns.due import Schedule
from airflow_provider_d360.campaigns.filling import columns_of, fill, has_plain_columns_only
from airflow_provider_d360.campaigns.outages import Outages
from airflow_provider_d360.campaigns.plan import country_of
from airflow_provider_d360.campaigns.progress import Progress, format_seconds
from airflow_provider_d360.campaigns.thresholds import Figures, State, Thresholds, figures
from airflow_provider_d360.campaigns.verdicts import IN_A_ROW, Kind, StopRules, verdict_on
from airflow_provider_d360.campaigns.windows import Window, check_zone, read_window, zones_of_number
from airflow_provider_d360.messages import column, image, template, text
from airflow_provider_d360.store.campaign_results import Total
from airflow_provider_d360.store.campaign_rows import RowState
from airflow_provider_d360.transport.settings import ConnectionSettings

PROMO = template("promo", "en", body=[column("name"), "12"])


def at(hour: int, minute: int = 0, day: int = 10) -> float:
    return datetime(2026, 12, day, hour, minute, tzinfo=timezone.utc).timestamp()


# Columns


def test_columns_are_found_and_filled_anywhere():
    message = {"a": [column("x"), f"Hello {column('y')} and {column('x')}"], "b": {"c": column("z")}, "d": 5}
    assert columns_of(message) == ["x", "y", "z"]
    filled = fill(message, {"x": "1", "y": "2", "z": {"id": "3"}})
    assert filled == {"a": ["1", "Hello 2 and 1"], "b": {"c": {"id": "3"}}, "d": 5}


def test_a_value_that_looks_like_a_column_is_not_filled_again():
    assert fill(f"{column('x')} {column('y')}", {"x": column("y"), "y": "2"}) == f"{column('y')} 2"


def test_a_column_needs_a_name():
    with pytest.raises(ValueError, match="empty"):
        column(" ")


@pytest.mark.parametrize(
    ("message", "is_plain"),
    [
        (PROMO, True),
        (text("Hi " + column("x")), True),
        (image(link=column("x")), False),
        (column("x"), False),
    ],
)
def test_only_texts_are_plain(message, is_plain):
    assert has_plain_columns_only(message) is is_plain


# Rows


def read(row, message=PROMO, **options):
    return RowReader(message, CLOUD, **options).read(row)


def test_a_row_becomes_a_person_with_the_values_of_the_message_only():
    person = read({"to": "+49 151 23456789", "name": "Ann", "secret": "x"})
    assert json.loads(person.payload) == ["4915123456789", {"name": "Ann"}]


@pytest.mark.parametrize(("value", "sent"), [(5, "5"), (5.5, "5.5"), (" Ann ", "Ann"), (True, "True")])
def test_values_become_text(value, sent):
    assert read({"to": "4915123456789", "name": value}).values == {"name": sent}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"name": "Ann"}, "there is no column 'to'"),
        ({"to": "4915123456789"}, "there is no column 'name'"),
        ({"to": "4915123456789", "name": None}, "name is empty"),
        ({"to": "4915123456789", "name": math.nan}, "name is empty"),
        ({"to": "4915123456789", "name": " "}, "name is empty"),
        ({"to": "12", "name": "Ann"}, "no number of that country is so long or short"),
        ({"to": None, "name": "Ann"}, "to"),
        ({"to": "4915123456789", "name": "a\nb"}, "body[0]"),
    ],
)
def test_a_row_that_cannot_be_sent_names_its_column_and_no_value(row, problem):
    with pytest.raises(InvalidRowError) as caught:
        read(row)
    assert problem in str(caught.value)
    assert "15123456789" not in str(caught.value)
    assert "Ann" not in str(caught.value)


def test_newlines_are_flattened_if_that_is_wanted():
    assert read({"to": "4915123456789", "name": "a\nb"}, flattens=True).values == {"name": "a b"}


def test_a_message_that_is_wrong_for_everybody_makes_every_row_wrong():
    with pytest.raises(InvalidRowError, match="language"):
        read({"to": "4915123456789", "name": "Ann"}, template("promo", "", body=[column("name")]))


def test_a_label_is_kept_and_cut():
    person = read({"to": "4915123456789", "name": "Ann", "id": "c" * 500}, label="id")
    assert person.label == "c" * 100


def test_a_number_in_a_country_with_several_time_zones_counts_for_all_of_them():
    assert zones_of_number("4915123456789") == ("Europe/Berlin",)
    assert len(zones_of_number("18005550123")) > 1


def test_a_row_without_a_common_hour_is_invalid():
    with pytest.raises(InvalidRowError, match="no hour inside the window"):
        read({"to": "18005550123", "name": "Ann"}, window=Window(time(9), time(10)))


@pytest.mark.parametrize(
    ("zone", "problem"), [("Mars/Olympus", "no time zone"), ("", "zone is empty"), ("../etc", "no time zone")]
)
def test_a_wrong_time_zone_is_told(zone, problem):
    with pytest.raises(InvalidRowError, match=problem):
        read(
            {"to": "4915123456789", "name": "Ann", "zone": zone},
            window=Window(time(9), time(10)),
            zone="zone",
        )


@pytest.mark.parametrize(
    ("to", "country"),
    [("4915123456789", "DE"), ("12025550123", "US"), ("351912345678", "PT"), ("BR.123", "BR"), ("999", "?")],
)
def test_people_belong_to_the_country_of_their_code(to, country):
    assert country_of(to) == country


# Windows


@pytest.mark.parametrize(
    ("now", "is_open"),
    [(at(7, 59), False), (at(8), True), (at(18, 59), True), (at(19), False)],  # Berlin is an hour ahead
)
def test_a_window_opens_and_closes_in_local_time(now, is_open):
    assert Window(time(9), time(20)).is_open(["Europe/Berlin"], now) is is_open


def test_it_must_be_inside_the_window_in_all_zones():
    window = Window(time(9), time(20))
    assert not window.is_open(["Europe/Berlin", "America/New_York"], at(10))
    assert window.next_opening(["Europe/Berlin", "America/New_York"], at(10)) == at(14)


def test_a_window_over_midnight():
    window = Window(time(22), time(6))
    assert window.is_open(["UTC"], at(23))
    assert window.is_open(["UTC"], at(5))
    assert window.next_opening(["UTC"], at(7)) == at(22)


def test_a_window_that_opened_is_open_from_now_on():
    assert Window(time(9), time(20)).next_opening(["UTC"], at(12)) == at(12)


def test_there_may_be_no_common_hour():
    assert Window(time(9), time(10)).next_opening(["UTC", "Asia/Tokyo"], at(12)) is None


@pytest.mark.parametrize("window", [("9", "20"), ("09:00",), ("09:00", "09:00"), "09:00", ("25:00", "09:00")])
def test_a_wrong_window_is_an_error(window):
    with pytest.raises(ValueError, match="two different times"):
        read_window(window)


def test_zones_have_names():
    assert check_zone(" Europe/Berlin ") == "Europe/Berlin"


def test_the_next_row_is_due_when_its_window_opens_or_its_time_has_come():
    schedule = Schedule({"window": ["09:00", "20:00"], "zones": [["UTC"], ["Asia/Tokyo"]]})
    assert schedule.open_zones(at(12)) == [0]
    assert schedule.next_due([(1, None)], at(12)) == at(0, day=11)
    assert schedule.next_due([(0, None), (1, None)], at(12)) == at(12)
    assert schedule.next_due([(0, at(21))], at(12)) == at(9, day=11)
    assert schedule.next_due([], at(12)) is None
    assert Schedule({}).next_due([(None, at(13)), (None, None)], at(12)) == at(12)


# Verdicts


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, Kind.SLOW_DOWN) for code in (130429, 4, 80007, 131057)),
        *((code, Kind.LATER) for code in (131056, 131049)),
        *((code, Kind.NEVER) for code in (131026, 131050, 130472, 131021, 131030, 137000, 131047)),
        *((code, Kind.WRONG) for code in (100, 131008, 131009, 132000, 132005, 132012, 132018, 131051)),
        *(
            (code, Kind.STOP)
            for code in (131048, 131031, 368, 130497, 131042, 132001, 132007, 132015, 132016)
        ),
        *((code, Kind.STOP) for code in (132068, 133010, 131064, 135000, 0, 190, 132069)),
        (134101, Kind.OUTAGE),
    ],
)
def test_each_code_has_one_consequence(code, kind):
    assert verdict_on(failed_status(code, "Something", ""), attempts=0).kind is kind


def test_every_code_of_the_table_has_a_consequence():
    assert {verdict_on(failed_status(code, "Something", ""), attempts=0).kind for code in META} <= set(Kind)


def test_a_capped_person_gets_one_more_chance_a_day_later():
    error = failed_status(131049, "", "")
    assert verdict_on(error, attempts=0).wait_seconds == 86_400
    assert verdict_on(error, attempts=1).kind is Kind.NEVER


def test_messages_to_one_person_wait_longer_each_time():
    waits = [
        verdict_on(failed_status(131056, "", ""), attempts=attempts).wait_seconds for attempts in range(6)
    ]
    assert waits == [6, 24, 96, 384, 1536, 3600]


@pytest.mark.parametrize(
    ("error", "kind"),
    [(D360AmbiguousError, Kind.UNKNOWN), (D360UnavailableError, Kind.OUTAGE), (D360AuthError, Kind.STOP)],
)
def test_errors_without_a_code_count_by_their_class(error, kind):
    assert verdict_on(error(ErrorDetail("…")), attempts=0).kind is kind


def record(*kinds: Kind) -> list[str | None]:
    rules = StopRules()
    return [rules.record(kind) for kind in kinds]


@pytest.mark.parametrize("kind", [Kind.WRONG, Kind.UNKNOWN])
def test_ten_in_a_row_stop_a_campaign(kind):
    assert record(*[kind] * (IN_A_ROW - 1), Kind.ACCEPTED, *[kind] * (IN_A_ROW - 1)) == [None] * (
        2 * IN_A_ROW - 1
    )
    assert str(record(*[kind] * IN_A_ROW)[-1]).startswith("10 messages in a row")


def test_a_share_stops_a_campaign():
    good = [Kind.ACCEPTED] * 9
    assert record(*([*good, Kind.WRONG] * 20))[-1] is None
    assert record(*([*good[:7], Kind.WRONG] * 20))[-1] is not None
    assert record(*([*good, Kind.UNKNOWN] * 20))[-1] is not None


@pytest.mark.parametrize("kind", [Kind.NEVER, Kind.LATER, Kind.SLOW_DOWN, Kind.OUTAGE, Kind.HELD])
def test_what_is_no_fault_of_the_message_stops_nothing(kind):
    assert record(*[kind] * 500) == [None] * 500


def test_the_service_is_given_more_time_each_time():
    outages = Outages()
    waits = []
    while not outages.are_too_many:
        waits.append(outages.record(outages.ends))
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_messages_of_one_outage_count_once_and_an_accepted_one_ends_it():
    outages = Outages()
    assert (outages.record(100.0), outages.record(100.5), outages.record(101.0)) == (1, 0, 2)
    outages.forget()
    assert outages.record(200.0) == 1


# Figures


TOTALS = [
    Total(RowState.ACCEPTED, "read", None, False, 30),
    Total(RowState.ACCEPTED, "delivered", None, False, 50),
    Total(RowState.ACCEPTED, "failed", 131026, False, 4),
    Total(RowState.ACCEPTED, "failed", 131049, False, 2),
    Total(RowState.ACCEPTED, "sent", None, False, 8),
    Total(RowState.HELD, None, None, False, 3),
    Total(RowState.HELD, "failed", 132015, False, 1),
    Total(RowState.REFUSED, None, 131026, False, 1),
    Total(RowState.UNKNOWN, None, None, False, 1),
    Total(RowState.PLANNED, None, None, False, 1000),
    Total(RowState.SUPPRESSED, None, None, False, 7),
]


def test_totals_become_figures():
    assert figures(TOTALS, 2) == Figures(
        tried=100, delivered=80, read=30, failed=6, capped=2, held=3, unknown=1, opted_out=2, left=1000
    )


@pytest.mark.parametrize(
    ("thresholds", "state"),
    [
        (Thresholds(delivered=0.8), State.MET),
        (Thresholds(delivered=0.81), State.WAITING),
        (Thresholds(read=0.5), State.WAITING),
        (Thresholds(held=0.0), State.WAITING),
        (Thresholds(held=0.03), State.MET),
        (Thresholds(failed=0.05), State.BROKEN),
        (Thresholds(failed=0.06), State.MET),
        (Thresholds(opted_out=0.01, delivered=0.99), State.BROKEN),
    ],
)
def test_shares_decide_whether_to_go_on(thresholds, state):
    assert thresholds.judge(figures(TOTALS, 2))[0] is state


def test_nothing_is_good_enough_before_something_was_sent():
    assert Thresholds().judge(figures([]))[0] is State.WAITING


# Progress


def test_progress_is_one_line():
    progress = Progress({RowState.PLANNED: 100, RowState.SUPPRESSED: 2}, now=0.0)
    for _ in range(50):
        progress.change(RowState.PLANNED, RowState.INTENDED)
        progress.change(RowState.INTENDED, RowState.ACCEPTED)
    assert progress.line(5.0) == "52 of 102 (50 %): 50 accepted, 2 suppressed; 10 a second; 5 s left"
    assert progress.line(10.0) == "52 of 102 (50 %): 50 accepted, 2 suppressed; 0 a second"


@pytest.mark.parametrize(("seconds", "shown"), [(5, "5 s"), (90, "2 min"), (3900, "1 h 5 min")])
def test_durations_are_for_people(seconds, shown):
    assert format_seconds(seconds) == shown


# Calls


@pytest.mark.parametrize("hosting", [CLOUD, ON_PREMISE])
@pytest.mark.parametrize("to", ["4915123456789", "BR.1502"])
@pytest.mark.parametrize(
    ("message", "values"),
    [
        (PROMO, {"name": 'Ann "\\ \u00e9 \U0001f600'}),
        (text("Hello " + column("a") + column("b")), {"a": column("b"), "b": "\\u0041"}),
        (text("Hello"), {}),
        (image(link=column("link")), {"link": "https://example.com/a?b=\u00fc"}),
        (column("message"), {"message": text("Hello")}),
        ({"type": "contacts", "contacts": column("cards")}, {"cards": [{"name": {"formatted_name": "Ann"}}]}),
    ],
)
def test_a_call_has_the_body_that_the_hook_would_send(hosting, to, message, values):
    settings = ConnectionSettings(hosting, "key", hosting.base_url)
    call = CallMaker(settings, message).call(json.dumps([to, values]), "campaign.1.2.3")
    filled = fill(message, values)
    expected = send_message(hosting, to, filled, biz_opaque_callback_data="campaign.1.2.3")
    assert json.loads(call.request.body) == json.loads(expected.request.body)
    assert (call.request.path, call.request.headers) == (expected.request.path, expected.request.headers)
    assert (call.private(), call.public()) == (expected.private(), expected.public())
    assert call.single
    assert not call.repeatable
