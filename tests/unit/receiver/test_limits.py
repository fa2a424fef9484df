"""A token bucket limits each key on its own."""

from web.receiver.limits import TokenBucket


def test_a_bucket_gives_its_burst_to_each_key() -> None:
    bucket = TokenBucket(rate=0.000_001, burst=3)

    assert [True, True, True, False] == [bucket.take("one") for _ in range(4)]
    assert bucket.take("another")
