"""Which job goes next: what others read, then in turn, and towards the end the longest."""

import msgspec

from ddiv.run.cluster.ready import Ready
from ddiv.trial import with_requirements
from tests.support.pretended import job, synthetic


def test_what_others_read_goes_first_and_the_end_begins_with_the_longest():
    short = [msgspec.structs.replace(job(seed), study="short") for seed in range(3)]
    long = [msgspec.structs.replace(job(seed), study="long") for seed in range(3)]
    generator, *_ = with_requirements([synthetic(0)])
    ready = Ready()
    for each in (short[0], long[0], short[1], long[1], generator):
        ready.push(f"{each.label} {each.study}", each)
    ready.took(short[2], 1.0)
    ready.took(long[2], 2.0)
    # Four wait for the room of one: that is the end. Five are in turn.
    popped = [ready.pop(room=1).split()[-1] for _ in range(5)]
    assert popped == ["study", "long", "long", "short", "short"] and len(ready) == 0
    for each in (short[0], long[0], short[1], long[1], job(7)):
        ready.push(each.study, each)
    assert ready.pop(room=1) == "short" and ready.pop(room=0) == "long"
