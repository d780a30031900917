"""
The rule by which a message goes out once, proved by simulation: one person, any tasks, tries and *Clears*.

The simulation counts what the person gets. Killed tasks, lost responses, refusals, shuffled lists, texts that
hold the time of day, and deleted runs are drawn at random.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_d360.sending.once import Claim, Verdict, decide
from airflow_provider_d360.store.entries import Entry, State

LONG_AFTER = 1000.0
OUTCOMES = ("accepted", "accepted", "accepted", "refused", "lost, sent", "lost, not sent", "killed before",
            "killed after", "failed later")  # fmt: skip


@dataclass
class World:
    """The ledger of one scope, and what the person got."""

    entries: dict[str, Entry] = field(default_factory=dict)
    got: Counter[str] = field(default_factory=Counter)
    now: float = 0.0
    ids: count = field(default_factory=count)

    def claim(self, content: str, round_: str, index: int, try_number: int, place: str, **options) -> Claim:
        name = f"e{next(self.ids):05}"
        sender = Entry(
            name, "scope", None, State.INTENDED, "task", "c", "d", "r", "t", index, try_number, "49…89",
            "h", None, None, 0.0,
        )  # fmt: skip
        return Claim(sender, content, round_, place, single=False, **options)

    def decide(self, claim: Claim):
        self.now += LONG_AFTER
        ordered = sorted(self.entries.values(), key=lambda entry: (entry.at, entry.id))
        decision, changed = decide(ordered, claim, self.now)
        self.entries.update({entry.id: entry for entry in changed})
        return decision

    def settle(self, entry: Entry, state: State) -> None:
        self.entries[entry.id] = replace(self.entries[entry.id], state=state, message_id=f"m{entry.id}")

    def send(self, claim: Claim, outcome: str) -> bool:
        """Send a message; return whether the task goes on."""
        decision = self.decide(claim)
        if decision.verdict is Verdict.KNOWN and not decision.exact:
            withheld = [e for e in self.entries.values() if e.state is State.WITHHELD and claim.owns(e)]
            assert [entry.content for entry in withheld] == [claim.content]
        if decision.verdict is Verdict.UNKNOWN:
            return False
        if decision.verdict is Verdict.SEND:
            if outcome in ("accepted", "failed later", "lost, sent", "killed after"):
                self.got[claim.content] += 1
            if outcome in ("accepted", "failed later"):
                self.settle(decision.entry, State.ACCEPTED)
            elif outcome.startswith("lost"):
                self.settle(decision.entry, State.UNKNOWN)
            elif outcome == "refused":
                self.settle(decision.entry, State.REFUSED)
            return outcome == "accepted"
        return True


ADVANCES = st.sampled_from([0, 1, 1])  # Airflow may begin the same try anew
contents = st.sampled_from(["order 1", "order 2", "order 3", "now"])
messages_of_a_task = st.lists(contents, min_size=1, max_size=3)
lists = st.lists(messages_of_a_task, min_size=1, max_size=4)
rounds = st.lists(lists, min_size=1, max_size=4)


def run_round(world: World, data, number: int, tasks: list[list[str]], tries: int, outcomes) -> None:
    """Run all tasks of a round at the same time; each sends its messages in order, and may be tried again."""
    clock, begun = count(), Counter[int]()
    positions = dict.fromkeys(range(len(tasks)), (1, 0))
    while positions:
        index = data.draw(st.sampled_from(sorted(positions)))
        try_number, position = positions[index]
        text = tasks[index][position]
        content = f"now {number} {next(clock)}" if text == "now" else text
        claim = world.claim(content, f"round {number}", index, try_number, f"/{position}")
        goes_on = world.send(claim, data.draw(st.sampled_from(outcomes)))
        position += 1
        begun[index] += 1
        is_done = goes_on and position == len(tasks[index])
        begins_anew = is_done and data.draw(st.booleans())
        if not goes_on or begins_anew:
            try_number, position = try_number + data.draw(ADVANCES), 0
        if (is_done and not begins_anew) or try_number > tries or begun[index] > 20:
            del positions[index]
        else:
            positions[index] = (try_number, position)


def most(rounds_: list[list[list[str]]]) -> tuple[int, Counter[str]]:
    """Return how many messages, and how many of each text, a list held at most."""
    texts: Counter[str] = Counter()
    for tasks in rounds_:
        texts |= Counter(text for task in tasks for text in task)
    return max(sum(map(len, tasks)) for tasks in rounds_), texts


@settings(max_examples=300, deadline=None)
@given(rounds, st.data())
def test_nobody_gets_more_than_the_list_holds_whatever_airflow_does(rounds_, data):
    world = World()
    for number, tasks in enumerate(rounds_):
        run_round(world, data, number, tasks, 3, OUTCOMES)
    most_messages, most_of_each = most(rounds_)
    assert sum(world.got.values()) <= most_messages
    for content, times in world.got.items():
        assert times <= (1 if content.startswith("now") else most_of_each[content]), content


@settings(max_examples=100, deadline=None)
@given(lists, st.data())
def test_without_faults_everybody_gets_the_whole_list_once(tasks, data):
    world = World()
    run_round(world, data, 0, tasks, 1, ("accepted",))
    assert sum(world.got.values()) == sum(map(len, tasks))


@settings(max_examples=100, deadline=None)
@given(lists, st.randoms(use_true_random=False), st.data())
def test_a_clear_that_shuffles_the_list_sends_nothing(tasks, random, data):
    world = World()
    run_round(world, data, 0, tasks, 1, ("accepted",))
    before = world.got.copy()
    for number in (1, 2):
        random.shuffle(tasks)
        run_round(world, data, number, tasks, 3, ("accepted",))
    assert world.got == before


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from("abcdef"), unique=True, min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_a_new_order_in_the_list_is_sent_after_a_clear_when_its_person_has_no_other_entry_free(
    orders, random
):
    world = World()
    for index, order in enumerate(orders):
        assert world.send(world.claim(order, "round 0", index, 1, "/0"), "accepted")
    again = list(orders)
    random.shuffle(again)
    for index, order in enumerate([*again, "new"]):
        assert world.send(world.claim(order, "round 1", index, 1, "/0"), "accepted")
    assert world.got == Counter([*orders, "new"])


def test_a_place_holds_one_entry_so_that_the_other_is_free_again():
    """Without that, two entries would be taken by one sender, and the next one would send a third message."""
    world = World()
    for index, order in enumerate(["10:00:01", "order"]):
        world.send(world.claim(order, "round 0", index, 1, "/0"), "accepted")
    world.send(world.claim("10:00:07", "round 1", 0, 1, "/0"), "accepted")  # stands for 10:00:01
    world.send(world.claim("order", "round 1", 0, 2, "/0"), "accepted")  # the retry got another text
    world.send(world.claim("10:00:09", "round 1", 1, 1, "/0"), "accepted")
    assert sum(world.got.values()) == 2


def test_a_retry_whose_loop_has_another_order_finds_both_messages():
    world = World()
    for try_number, orders in ((1, ["order 1", "order 2"]), (2, ["order 2", "order 1"])):
        for position, order in enumerate(orders):
            world.send(world.claim(order, "round 0", 0, try_number, f"/{position}"), "accepted")
    assert world.got == Counter(["order 1", "order 2"])
    assert {entry.state for entry in world.entries.values()} == {State.ACCEPTED}


def test_a_retry_that_resumes_from_another_deferral_with_another_text_sends_no_second_message():
    """The trigger's event is part of the place, and differs in each try."""
    world = World()
    for try_number, text in ((1, "10:00:01"), (2, "10:00:07")):
        place = f"resumed {try_number}/0"
        assert world.send(world.claim(text, "round 0", 0, try_number, place), "accepted")
    assert world.got == Counter(["10:00:01"])
    world.send(world.claim("another", "round 0", 0, 2, "resumed again/0"), "accepted")
    assert world.got == Counter(["10:00:01", "another"])


@pytest.mark.parametrize("patience", [0.0, 30.0])
def test_an_intent_of_a_clock_that_is_ahead_is_not_waited_for_until_that_time(patience):
    world = World()
    world.send(world.claim("order", "round 0", 0, 1, "/0"), "killed after")
    world.now -= 3600
    claim = world.claim("order", "round 0", 0, 2, "/0", patience_seconds=patience)
    assert world.decide(claim).verdict is Verdict.UNKNOWN


def test_a_withheld_message_under_a_key_goes_out_once_when_it_is_settled_as_not_sent():
    """It is one entry, however many runs repeat it: each that is settled is one message more."""
    world = World()

    def send(number: int, try_number: int = 1) -> None:
        claim = world.claim(f"version {number}", f"round {number}", 0, try_number, "/0")
        world.send(replace(claim, single=True), "accepted")

    for number in range(4):
        send(number)
    (withheld,) = [entry for entry in world.entries.values() if entry.state is State.WITHHELD]
    world.settle(withheld, State.REFUSED)
    for number, try_number in ((4, 1), (4, 2), (5, 1)):
        send(number, try_number)
    assert list(world.got) == ["version 0", "version 4"]


def test_what_may_have_gone_out_is_not_sent_again_unless_that_is_wanted():
    world = World()
    world.send(world.claim("order", "round 0", 0, 1, "/0"), "lost, sent")
    for round_, index, place in (("round 0", 0, "/0"), ("round 0", 0, "/1"), ("round 1", 7, "/0")):
        claim = world.claim("order", round_, index, 1, place)
        assert world.decide(claim).verdict is Verdict.UNKNOWN
    again = world.claim("order", "round 0", 0, 2, "/0", resend_unknown=True)
    assert world.decide(again).verdict is Verdict.SEND


def test_a_failed_message_goes_out_again_after_a_clear_and_not_before():
    world = World()
    world.send(world.claim("order", "round 0", 0, 1, "/0"), "accepted")
    (entry,) = world.entries.values()
    world.entries[entry.id] = replace(entry, failed=True)
    assert world.decide(world.claim("order", "round 0", 0, 2, "/0")).verdict is Verdict.KNOWN
    assert world.decide(world.claim("order", "round 1", 3, 1, "/0")).verdict is Verdict.SEND


def test_resend_sends_once_a_round():
    world = World()
    for round_, verdict in (("round 0", Verdict.SEND), ("round 1", Verdict.SEND), ("round 1", Verdict.KNOWN)):
        claim = world.claim("order", round_, 0, 1, "/0", resend=True)
        decision = world.decide(claim)
        assert decision.verdict is verdict
        world.settle(decision.entry, State.ACCEPTED)


def test_a_young_intent_of_another_process_is_waited_for():
    world = World()
    intent = world.decide(world.claim("order", "round 0", 0, 1, "/0")).entry
    claim = world.claim("order", "round 0", 0, 1, "/0")
    entries = list(world.entries.values())
    assert decide(entries, claim, intent.at + 29)[0].verdict is Verdict.WAIT
    assert decide(entries, claim, intent.at + 31)[0].verdict is Verdict.UNKNOWN


def test_what_a_person_settled_as_not_sent_goes_out_with_the_next_clear():
    world = World()
    world.send(world.claim("10:00:01", "round 0", 0, 1, "/0"), "accepted")
    world.send(world.claim("10:00:07", "round 1", 0, 1, "/0"), "accepted")
    (withheld,) = [entry for entry in world.entries.values() if entry.state is State.WITHHELD]
    world.entries[withheld.id] = replace(withheld, state=State.REFUSED)
    world.send(world.claim("10:00:13", "round 2", 0, 1, "/0"), "accepted")
    assert world.got == Counter(["10:00:01", "10:00:13"])
