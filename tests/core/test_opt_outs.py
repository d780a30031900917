"""Which events mean that somebody wants no more messages."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_d360.api.events import UnknownEvent, read_events
from airflow_provider_d360.api.opt_outs import (
    DEFAULT_KEYWORDS,
    START_WORDS,
    STOP_WORDS,
    OptOut,
    keywords,
    read_opt_outs,
)
from airflow_provider_d360.api.preferences import PreferenceEvent
from tests.core.deliveries import NUMBER, OTHER_AT, USER, change_value, cloud, failed, message


def wishes(body: object, words: Any = DEFAULT_KEYWORDS) -> list[OptOut]:
    return list(read_opt_outs(read_events(body), words))


def preference(value: object = "stop", **more: object) -> dict[str, object]:
    item = {
        "wa_id": NUMBER,
        "category": "marketing_messages",
        "value": value,
        "timestamp": 1700000001,
        **more,
    }
    return cloud(change_value(user_preferences=[item]), field="user_preferences")


def written(text: str, **more: object) -> dict[str, object]:
    return cloud(change_value(messages=[message("text", text={"body": text}, **more)]))


def tapped(text: str) -> dict[str, object]:
    return cloud(change_value(messages=[message("button", button={"payload": "p", "text": text})]))


@pytest.mark.parametrize(("value", "stops"), [("stop", True), ("resume", False)])
def test_whatsapps_own_switch_is_about_marketing(value, stops):
    [wish] = wishes(preference(value))
    assert wish == OptOut((NUMBER,), stops, False, "user_preferences", None, 1700000001.0)


def test_somebody_who_hides_the_number_is_known_by_the_user_id():
    [wish] = wishes(preference(wa_id=None, user_id=USER))
    assert wish.recipients == (USER,)
    [wish] = wishes(preference(user_id=USER))
    assert wish.recipients == (NUMBER, USER)


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": "perhaps"},
        {"value": ["stop"]},
        {"category": "other"},
        {"wa_id": None},
        {"wa_id": 300 * "1"},
    ],
)
def test_a_preference_that_is_not_understood_is_kept_as_it_came(wrong):
    [event] = read_events(preference(**wrong))
    assert isinstance(event, UnknownEvent)


def test_a_preference_beside_others_is_read():
    items = [{"value": "?"}, {"wa_id": NUMBER, "category": "marketing_messages", "value": "stop"}]
    body = cloud(change_value(user_preferences=items), field="user_preferences")
    assert [type(event) for event in read_events(body)] == [PreferenceEvent, UnknownEvent]


def test_no_number_stands_in_what_is_printed():
    event = PreferenceEvent(NUMBER, True, None, USER)
    assert NUMBER not in repr([event, *read_opt_outs([event], DEFAULT_KEYWORDS)])


def test_the_code_of_a_failed_message_is_about_marketing():
    [wish] = wishes(failed(code=131050))
    assert (wish.recipients, wish.stops, wish.everything, wish.source) == ((NUMBER,), True, False, "131050")


@pytest.mark.parametrize("error", [{"code": 131026}, {"code": 131049}, {"code": 999999}, {}])
def test_other_failures_are_no_opt_out(error):
    assert wishes(failed(**error)) == []


@pytest.mark.parametrize(
    "text",
    ["STOP", "stop", " Stop. ", "stop!", '"Stop"', "arret", "ARRÊT", "Stop  promotions", "İPTAL", "IPTAL"],
)
def test_a_message_that_is_a_stop_word_opts_out(text):
    [wish] = wishes(written(text))
    assert (wish.recipients, wish.stops, wish.everything, wish.source) == ((NUMBER,), True, False, "keyword")
    assert (wish.word, wish.at) == (wish.word and wish.word.lower(), OTHER_AT)


@pytest.mark.parametrize("words", [*STOP_WORDS.values(), *START_WORDS.values()])
def test_every_word_of_the_list_is_understood_in_capitals(words):
    for word in words:
        [wish] = wishes(written(word.upper()))
        assert wish.stops is any(word in stops for stops in STOP_WORDS.values())


@pytest.mark.parametrize(
    "text", ["Stop the pipeline", "please stop", "don't stop", "stop it", "", "yes", 50 * "stop "]
)
def test_a_sentence_with_such_a_word_is_none(text):
    assert wishes(written(text)) == []


def test_a_start_word_lifts_everything_that_the_person_stopped():
    [wish] = wishes(written("Start"))
    assert (wish.stops, wish.everything) == (False, True)


def test_the_button_of_a_template_counts_and_other_kinds_of_message_do_not():
    assert [wish.stops for wish in wishes(tapped("Stop promotions"))] == [True]
    reply = {"type": "button_reply", "button_reply": {"id": "1", "title": "Stop"}}
    assert wishes(cloud(change_value(messages=[message("interactive", interactive=reply)]))) == []
    assert wishes(cloud(change_value(messages=[message("text", text={"body": 7})]))) == []


def test_own_words_take_the_place_of_the_list():
    words = keywords(["Genug!", " ", ""], ["Doch"], stops_everything=True)
    [wish] = wishes(written("genug"), words)
    assert wish.everything is True
    assert wishes(written("stop"), words) == []
    assert wishes(written(" "), words) == []
    assert [wish.stops for wish in wishes(written("doch"), words)] == [False]


def test_other_events_are_no_wish():
    assert wishes(cloud({"event": "APPROVED"}, field="message_template_status_update")) == []
