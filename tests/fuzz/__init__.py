"""A fuzzer over every reader of files (and answers) that come from outside.

    python -m tests.fuzz --minutes 10
    python -m tests.fuzz --reader checkpoint --reader npz --seed 3
    python -m tests.fuzz --again FAILURES/npz-17

An input is a few files, made from valid samples by mutations that are drawn from a seed. ddiv reads
it in a forked process with limits of memory and time. It may take the input, or refuse it with an
error of its own; anything else is a failure. Files:

    inputs.py     files in memory, written to a folder; payloads that tell when they ran
    mutate.py     mutations of bytes, of JSON, of zip archives, of TOML
    samples_*.py  valid samples, and structural mutations of one kind of file
    readers.py    the readers: what is read by which call
    server.py     a loopback server that answers with an input
    fork.py       processes that read inputs, watched
    smaller.py    a failing input with less in it
"""
