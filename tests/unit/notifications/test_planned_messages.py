"""Messages: each notification is told once, the important ones first, and many as one."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.notifications.kinds import KINDS, Kind, Level
from shared.domain.notifications.messages import MOST_MESSAGES, Pending, plan_messages

AT = datetime(2026, 11, 30, 15, tzinfo=UTC)


def pending(id_: int, kind: Kind = Kind.FILL, level: Level = Level.INFO, text: str = "") -> Pending:
    return Pending(id_, kind, level, text or f"number {id_}", AT + timedelta(seconds=id_))


@given(
    st.lists(
        st.builds(
            Pending,
            id=st.integers(0, 10_000),
            kind=st.sampled_from(KINDS),
            level=st.sampled_from(Level),
            text=st.sampled_from(["a", "b", "c", "x" * 400]) | st.text(max_size=5),
            happened_at=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),
        ),
        unique_by=lambda one: one.id,
    )
)
def test_every_notification_is_told_once_and_the_critical_ones_first(found: list[Pending]) -> None:
    messages = plan_messages(found, zone="America/Chicago")

    assert sorted(one.id for one in found) == sorted(id_ for message in messages for id_ in message.ids)
    assert len(messages) <= MOST_MESSAGES
    assert [message.level.rank for message in messages] == sorted(message.level.rank for message in messages)
    critical = {one.id for one in found if one.level is Level.CRITICAL}
    if critical:
        assert critical & set(messages[0].ids)


def test_a_few_are_a_message_each() -> None:
    (message,) = plan_messages([pending(5, text="BUY 1 MNQ")], zone="America/Chicago", venue="simulator")

    assert ("Tickwork (simulator): fill", "09:00:05 CST BUY 1 MNQ") == (message.title, message.body)


def test_contracts_are_named_as_in_lists() -> None:
    (message,) = plan_messages([pending(5, text="denied: no quote of CON.F.US.ENQ.Z26")], zone="UTC")

    assert "15:00:05 UTC denied: no quote of NQ Z26" == message.body


def test_those_that_say_the_same_are_one_with_their_number() -> None:
    (message,) = plan_messages([pending(one, Kind.DENIED, Level.WARNING, "no") for one in range(3)], zone="UTC")

    assert "Tickwork: WARNING: denied entry" == message.title
    assert "15:00:02 UTC no (3 times)" == message.body


def test_ten_thousand_are_a_few_messages_with_the_important_ones_first() -> None:
    many = [pending(one) for one in range(9_990)]
    denied = [pending(10_000 + one, Kind.DENIED, Level.WARNING) for one in range(8)]
    halts = [pending(20_000 + one, Kind.ACCOUNT, Level.CRITICAL) for one in range(2)]
    messages = plan_messages([*many, *denied, *halts], zone="UTC")

    assert [(20_000,), (20_001,)] == [message.ids for message in messages[:2]]
    (folded,) = messages[2:]
    assert "Tickwork: WARNING: 9,990 fills, 8 denied entries" == folded.title
    assert "and 9,990 more" in folded.body
    assert "number 10000" in folded.body.splitlines()[0]


def test_more_critical_ones_than_messages_are_told_together_before_the_rest() -> None:
    messages = plan_messages(
        [pending(1), *(pending(10 + one, Kind.ACCOUNT, Level.CRITICAL) for one in range(9))], zone="UTC"
    )

    assert MOST_MESSAGES == len(messages)
    assert "Tickwork: CRITICAL: 5 account events, 1 fill" == messages[-1].title
