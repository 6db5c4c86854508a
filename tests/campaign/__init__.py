"""The fault campaign: what a store is worth when processes die, disks fill up and bytes rot.

    python -m tests.campaign --minutes 10
    python -m tests.campaign --only flip-record --rounds 5 --seed 3
    python -m tests.campaign --repository ../before --python ../before/.venv/bin/python

It acts from outside, through command lines alone (`pytest claims`, `ddiv report`, `ddiv ledger`),
and imports nothing of ddiv's, so that it runs unchanged on any commit. Files:

    target.py     the commands of one checkout, and the processes that run them
    scene.py      two studies that are trained in seconds, and what an undisturbed run says of them
    seen.py       a store and a page as they are seen from outside
    judge.py      what was seen -> faults of the kinds in `judge.KINDS`
    server.py     a loopback server of texts, with a list of what it was paid for
    kill.py, power.py, flip.py, full.py, share.py    the rounds; each returns what it did
"""
