"""Texts from a chat model over the protocol of OpenAI: a loopback server answers, fails and
misbehaves.
"""

import gzip
import json
import logging
import re
import socket
import traceback
from collections import Counter

import msgspec
import numpy as np
import pytest

from ddiv.common.errors import TrialFailed
from ddiv.generate import openai_http
from ddiv.generate.check import BadSamples
from ddiv.generate.openai_cache import AnswerCache
from ddiv.generate.openai_client import Client, NoAccess
from ddiv.generate.openai_cost import Cost
from ddiv.generate.openai_prompts import read, request
from ddiv.generate.openai_texts import GIVE_UP, estimate, sample
from ddiv.treatment import OpenAI, Setting
from tests.support.drafts import dead_draft
from tests.support.flushes import watch_flushes
from tests.support.openai_server import (
    REFUSED,
    REPEATED,
    UNANSWERED,
    UNUSABLE,
    Server,
    classes_of,
    parts,
    seeded,
)

KEY = "sk-planted-5f1e77c0ffee5ec2e7"
CLASSES = ("mortgage: payments", 'card: "surprise" fees', "loan: harassment", "account: closed")
SPEC, SETTING = OpenAI(examples=3, per_request=1, max_tokens=40), Setting("new", temperature=0.9)
EXAMPLES = (
    np.array(
        [f"Real complaint {n} of class {n % 4}, sent on day {n}." for n in range(28)], dtype=object
    ),
    np.arange(28) % 4,
)
SEED = 1000


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("DDIV_TEXTS", str(tmp_path / "texts"))
    for name in ("OPENAI_BASE_URL", "DDIV_OPENAI_CONCURRENCY", "DDIV_OPENAI_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)


def labels(n):
    return np.arange(n) % 4


def drawn(
    server,
    n=8,
    *,
    spec=SPEC,
    setting=SETTING,
    folder=None,
    progress=lambda share: None,
    known=(),
    **reach,
):
    client = Client(server.url, **{"timeout": 2.5, "concurrency": 16, **reach})
    cache = AnswerCache(folder) if folder else None
    return sample(
        spec,
        setting,
        CLASSES,
        labels(n),
        EXAMPLES,
        SEED,
        progress,
        client=client,
        cache=cache,
        known=known,
    )


def always(fault):
    return lambda digest, attempt: fault


def first(fault):
    return lambda digest, attempt: fault if attempt == 0 else ""


def test_what_a_killed_process_left_among_the_answers_is_swept(tmp_path):
    cache = AnswerCache(tmp_path)
    left = dead_draft(cache.path("http://x", {"x": 1}))
    cache.check_writable()
    assert not left.exists() and not [path for path in tmp_path.rglob("*") if path.is_file()]


# --- what must hold in spite of faults ------------------------------------------------------------


@pytest.fixture(scope="module")
def stormy(tmp_path_factory):
    """200 texts, one a request, and every fifth meets a fault; the server and what was drawn."""
    with pytest.MonkeyPatch.context() as patch, Server(seeded(SEED + 7, 0.2)) as server:
        patch.setenv("OPENAI_API_KEY", KEY)
        patch.setenv("NO_PROXY", "127.0.0.1")
        folder, shares = tmp_path_factory.mktemp("stormy"), []
        found = drawn(server, 200, folder=folder, progress=shares.append, concurrency=32)
        yield server, found, len(list(folder.rglob("*.json"))), shares


def test_every_text_comes_once_though_every_fifth_request_fails(stormy):
    server, found, _, _ = stormy
    met = server.faults()
    assert 30 <= sum(met.values()) <= 70 and len({*UNANSWERED, *UNUSABLE} & set(met)) > 12
    assert len(found.texts) == 200 and len(set(found.texts)) == 200
    assert all(f"about {CLASSES[label]}." in text for text, label in zip(found.texts, labels(200)))
    # None lost, none made up: what the server gave out, and once for each class the text that it
    # repeats.
    repeated = [text for text in found.texts if text.startswith(REPEATED)]
    assert Counter(found.texts) == Counter(server.served + repeated)
    assert found.facts["repeated"] == met["duplicate"] - len(repeated) and 0 < len(repeated) <= 4


def test_what_was_paid_for_is_known_and_paid_for_once(stormy):
    server, found, files, _ = stormy
    met, facts = server.faults(), found.facts
    assert (
        max(server.paid.values()) == 1
        and server.paid.total() == facts["requests"] == facts["asked"] == files
    )
    assert (
        facts["retried"]
        == sum(met[kind] for kind in UNANSWERED)
        == len(server.arrivals) - facts["requests"]
    )
    assert (
        facts["refused"] == met["refusal"] + met["filtered"]
        and facts["truncated"] == met["truncated"]
    )
    assert facts["malformed"] == met["malformed"] + met["unknown class"]
    assert facts["misclassed"] == met["other class"] and facts["copied"] == met["copy"]
    assert facts["untold"] == 0
    assert facts["tokens"] == {
        "prompt": server.tokens["prompt_tokens"],
        "completion": server.tokens["completion_tokens"],
    }
    assert facts["answered_by"] == [f"{SPEC.model}-served"]


def test_progress_ends_at_one(stormy):
    *_, shares = stormy
    assert shares[-1] == 1 and min(shares) >= 0 and max(shares) <= 1


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_interrupted_half_way_and_resumed_it_asks_only_for_the_rest(tmp_path, stop):
    def interrupt(share):
        if share >= 0.5:
            raise stop

    plan = seeded(SEED + 1, 0.2, ("429", "500", "refusal", "truncated", "duplicate"))
    with Server(plan) as server, Server(plan) as twin:
        with pytest.raises(stop):
            drawn(server, 40, folder=tmp_path / "cut", progress=interrupt, concurrency=4)
        before, kept = server.paid.copy(), len(list((tmp_path / "cut").rglob("*.json")))
        assert 20 <= kept == before.total() < 40
        resumed = drawn(server, 40, folder=tmp_path / "cut")
        assert max(server.paid.values()) == 1
        assert (
            resumed.facts["asked"] == server.paid.total() - kept == resumed.facts["requests"] - kept
        )
        whole = drawn(twin, 40, folder=tmp_path / "whole")
        assert list(resumed.texts) == list(whole.texts) and twin.paid == server.paid


def test_a_second_run_needs_neither_server_nor_key(tmp_path, monkeypatch):
    with Server(seeded(SEED, 0.3, ("refusal", "malformed", "duplicate"))) as server:
        once = drawn(server, 12, folder=tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY")
    again = drawn(server, 12, folder=tmp_path)
    assert list(again.texts) == list(once.texts)
    assert (
        again.facts["asked"] == again.facts["retried"] == again.facts["estimate"]["requests"] == 0
    )
    ever = ("requests", "tokens", "dollars", "refused", "malformed", "repeated")
    assert [again.facts[name] for name in ever] == [once.facts[name] for name in ever]


def test_what_is_under_way_when_one_request_fails_is_kept(tmp_path):
    failing = []

    def plan(digest, attempt):
        failing.append(digest)
        return "400" if len(failing) == 3 else ""

    with Server(plan, work=0.3) as server:
        with pytest.raises(NoAccess, match=r"HTTP|400"):
            drawn(server, 8, folder=tmp_path, concurrency=8)
        kept = server.paid.total()
        assert kept == len(list(tmp_path.rglob("*.json"))) == 7
        drawn(server, 8, folder=tmp_path)
        assert max(server.paid.values()) == 1 and server.paid.total() == 8


# --- the key --------------------------------------------------------------------------------------


def chain(error):
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def test_the_key_is_nowhere(tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    written = []
    with Server(seeded(SEED, 0.3, ("echo", "429", "reset", "malformed"))) as server:
        found = drawn(server, 40, folder=tmp_path)
        assert set(server.faults()) == {"echo", "429", "reset", "malformed"}
        assert any("[key]" in text for text in found.texts)  # the server did send it back
        written += [json.dumps(found.facts), repr(found), repr(Client(server.url)), *found.texts]
    for fault in ("401", "400", "404", "429", "500", "reset"):
        with Server(always(fault)) as server, pytest.raises(NoAccess) as caught:
            drawn(server, 4, folder=tmp_path / fault, retries=0)
        written += ["".join(traceback.format_exception(caught.value))]
        for error in chain(caught.value):
            assert not hasattr(error, "request") and not hasattr(error, "response")
            written += [str(error), repr(error), repr(vars(error))]
    assert {"httpx2", "openai"} <= {record.name.split(".")[0] for record in caplog.records}
    written += [
        caplog.text,
        *map(repr, (vars(record) for record in caplog.records)),
        *capfd.readouterr(),
    ]
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 16
    assert not [text for text in written if KEY in text] and not [
        text for text in files if KEY.encode() in text
    ]


@pytest.mark.parametrize(
    "key, told",
    [
        (None, "OPENAI_API_KEY is not set"),
        ("  ", "OPENAI_API_KEY is not set"),
        ("sk-two\nlines-of-a-key", "white space"),
        ("sk-ключ-0123456789", "no key has"),
    ],
)
def test_without_a_key_nothing_is_asked(monkeypatch, key, told):
    monkeypatch.delenv("OPENAI_API_KEY")
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    with Server() as server, pytest.raises(NoAccess, match=told) as caught:
        drawn(server)
    assert not server.arrivals and (
        key is None or key.strip() == "" or key not in str(caught.value)
    )


def test_a_local_servers_dummy_key_is_not_struck_out_of_texts(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "number")
    with Server() as server:
        assert all(" number 0 about" in text for text in drawn(server).texts)


# --- servers that cannot be used ------------------------------------------------------------------


def test_a_server_that_refuses_connections():
    with socket.socket() as taken:  # bound, not listening: connections to it are refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(NoAccess, match=r"cannot be reached.*correct OPENAI_BASE_URL") as caught:
            sample(SPEC, SETTING, CLASSES, labels(4), EXAMPLES, SEED, client=Client(url, retries=1))
    assert url in str(caught.value) and isinstance(caught.value, TrialFailed)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000/v1",
        "http://",
        "http://[::1/v1",
        "http://host:port/v1",
        "http://host:99999/v1",
        "http://two hosts/v1",
        "http://host/v1\x01",
        f"http://{'a' * 70}.com/v1",
        "ftp://host/v1",
        "http://me:hunter2@host/v1",
        "https://host/v1?token=hunter2",
    ],
)
def test_an_address_that_is_none_or_holds_a_secret(monkeypatch, url):
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    with pytest.raises(NoAccess, match="OPENAI_BASE_URL must be like") as caught:
        Client()
    assert "hunter2" not in str(caught.value)


def test_the_environment_names_server_and_limits(monkeypatch):
    assert Client() == Client("https://api.openai.com/v1", 8, 300.0)
    with Server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("DDIV_OPENAI_CONCURRENCY", "3")
        monkeypatch.setenv("DDIV_OPENAI_TIMEOUT", "7.5")
        assert Client() == Client(server.url, 3, 7.5)
        assert (
            sample(SPEC, SETTING, CLASSES, labels(4), EXAMPLES, SEED).facts["base_url"]
            == server.url
        )
        assert len(server.arrivals) == 4
    monkeypatch.setenv("DDIV_OPENAI_CONCURRENCY", "many")
    with pytest.raises(NoAccess, match="DDIV_OPENAI_CONCURRENCY is 'many'"):
        Client()


@pytest.mark.parametrize(
    "fault, told",
    [
        ("401", "refuses the key in OPENAI_API_KEY"),
        ("404", "has no model"),
        ("400", "does not take the request"),
        ("429", "DDIV_OPENAI_CONCURRENCY"),
        ("500", "try again later"),
        ("page", "fails .*no chat completion: <html>Proxy"),
        ("error", "fails .*no chat completion: upstream is busy"),
        ("nothing", "fails .*an empty body"),
        ("escapes", "no chat completion: \N{REPLACEMENT CHARACTER}\\[2J"),
        ("null", "fails .*no chat completion: null"),
        ("redirect", "redirection .*OPENAI_BASE_URL"),
        ("cut", "cannot be reached"),
        ("slow", "no whole answer within 0.5 s"),
        ("trickle", "no whole answer within 0.5 s"),
    ],
)
def test_what_a_server_does_always_is_one_clear_error(fault, told):
    with Server(always(fault)) as server, pytest.raises(NoAccess, match=told):
        drawn(server, 4, retries=1, timeout=0.5, concurrency=1)
    # What no repetition can mend is not repeated.
    assert len(server.arrivals) == (1 if fault in ("400", "401", "404", "redirect") else 2)


def test_an_answer_without_an_end_or_packed_as_a_bomb_is_given_up_and_not_asked_for_twice(
    monkeypatch,
):
    monkeypatch.setattr(openai_http, "LARGEST", 1 << 20)
    for fault, times in (("endless", 1), ("bomb", 1), ("bomb", 2)):
        with Server(always(fault)) as server:
            server.bomb = b" " * (1 << 26)
            for _ in range(times):
                server.bomb = gzip.compress(server.bomb)
            server.packed = ", ".join(["gzip"] * times)
            with pytest.raises(NoAccess, match="more than 1 MiB"):
                drawn(server, 1, retries=1 if times == 1 else 0, timeout=20)
        assert len(server.arrivals) == 1


@pytest.mark.parametrize(
    "wait", ["1e99", "nan", "-5", "soon", "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 99 Foo 99999"]
)
def test_a_pause_that_nobody_can_wait_for_is_not_waited_for(wait):
    with (
        Server(always("429"), pause=wait) as server,
        pytest.raises(NoAccess, match=f"Retry-After: '{re.escape(wait)}'"),
    ):
        drawn(server, 1, retries=1)
    assert len(server.arrivals) <= 2


@pytest.mark.parametrize(
    "variable, value",
    [
        ("OPENAI_ORG_ID", "one\ntwo"),
        ("OPENAI_PROJECT_ID", "проект"),
        ("OPENAI_CUSTOM_HEADERS", "X-A: b\rc"),
        ("OPENAI_CUSTOM_HEADERS", "X A: b"),
        ("HTTP_PROXY", "http://[::1"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem"),
    ],
)
def test_headers_and_proxies_that_cannot_be_used_are_one_clear_error(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with Server() as server, pytest.raises(NoAccess, match=variable) as caught:
        drawn(server, 1)
    assert not server.arrivals and not [
        error for error in chain(caught.value) if hasattr(error, "request")
    ]


@pytest.mark.parametrize("text", ["nan", "inf", "2.5", "1e400"])
def test_a_number_of_requests_that_is_none(monkeypatch, text):
    monkeypatch.setenv("DDIV_OPENAI_CONCURRENCY", text)
    with pytest.raises(NoAccess, match=r"DDIV_OPENAI_CONCURRENCY is .*whole number"):
        Client("http://host/v1")


# --- prompts that are refused, and successes that are none ---------------------------------------


@pytest.mark.parametrize("fault", REFUSED)
def test_a_refused_prompt_is_noted_and_the_others_are_asked(tmp_path, fault):
    refused = []

    def plan(digest, attempt):
        refused.append(digest)
        return fault if len(refused) == 2 else ""

    with Server(plan) as server:
        found = drawn(server, 8, folder=tmp_path)
        assert len(set(found.texts)) == 8 and found.facts["refused"] == 1
        assert (found.facts["asked"], found.facts["untold"]) == (9, 0) and len(refused) == 9
        again = drawn(server, 8, folder=tmp_path)
    assert again.facts["asked"] == 0 and list(again.texts) == list(found.texts)


def test_a_class_whose_prompts_are_all_refused_is_given_up_and_asked_for_again(tmp_path):
    with Server(always("vllm")) as server:
        with pytest.raises(BadSamples, match=f"{GIVE_UP} refused; the server says: .*context"):
            drawn(server, 1, folder=tmp_path)
        assert not [*tmp_path.rglob("*.json")]
        server.plan = always("")  # started anew, with a longer context
        assert drawn(server, 1, folder=tmp_path).facts["refused"] == 0


@pytest.mark.parametrize("fault", ["empty", "no choice"])
def test_an_empty_answer_is_not_kept_and_another_prompt_is_tried(tmp_path, fault):
    def plan(digest, attempt):
        return fault if not server.arrivals else ""

    with Server(plan) as server:
        found = drawn(server, 4, folder=tmp_path, concurrency=1)
        assert found.facts["malformed"] == 1 and found.facts["asked"] == 5
        assert len([*tmp_path.rglob("*.json")]) == 4
        assert drawn(server, 4, folder=tmp_path).facts["asked"] == 1


@pytest.mark.parametrize(
    "poison",
    [
        "<html>Proxy</html>",
        '{"error": {"message": "busy", "code": 502}}',
        '{"choices": []}',
        '{"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}',
        '{"choices": [{"message": {"content": "{}"}, "finish_reason": "error"}]}',
        "",
        "[" * 100_000,
    ],
)
def test_what_an_earlier_version_kept_and_is_no_answer_is_asked_for_again(tmp_path, poison):
    with Server() as server:
        once = drawn(server, 4, folder=tmp_path).texts
        for victim in tmp_path.rglob("*.json"):
            kept = json.loads(victim.read_text())
            victim.write_text(json.dumps(kept | {"answer": poison}))
        again = drawn(server, 4, folder=tmp_path)
    assert list(again.texts) == list(once) and again.facts["asked"] == 4


@pytest.mark.parametrize(
    "damage", ["a word of the text", "a word, and the name of the sum", "no UTF-8"]
)
def test_a_kept_answer_that_was_damaged_is_asked_for_again(tmp_path, damage):
    with Server() as server:
        once = drawn(server, 4, folder=tmp_path).texts
        for victim in tmp_path.rglob("*.json"):
            kept = json.loads(victim.read_bytes())
            content = json.loads(kept["answer"])["choices"][0]["message"]["content"]
            bit = content[:3] + chr(ord(content[3]) ^ 1) + content[4:]
            flipped = kept["answer"].replace(json.dumps(content), json.dumps(bit))
            whole = json.dumps(kept | {"answer": flipped}).encode()
            assert flipped != kept["answer"]
            if damage == "a word, and the name of the sum":
                whole = whole.replace(b'"sum"', b'"sul"')
            victim.write_bytes(whole if damage != "no UTF-8" else whole.replace(b"a", b"\xff", 1))
        again = drawn(server, 4, folder=tmp_path)
    assert list(again.texts) == list(once) and again.facts["asked"] == 4


def test_an_answer_in_the_place_of_another_is_asked_for_again(tmp_path):
    with Server() as server:
        once = drawn(server, 4, folder=tmp_path).texts
        first, *others = sorted(tmp_path.rglob("*.json"))
        for victim in others:
            victim.write_bytes(first.read_bytes())
        again = drawn(server, 4, folder=tmp_path)
    assert list(again.texts) == list(once) and again.facts["asked"] == len(others) > 0


def test_retry_after_is_obeyed():
    with Server(first("429"), pause="1") as server:
        assert drawn(server, 1).facts["retried"] == 1
    began = [arrival.began for arrival in server.arrivals]
    assert began[1] - began[0] >= 1


def test_no_more_requests_at_once_than_allowed():
    with Server(work=0.1) as server:
        drawn(server, 24, concurrency=3)
    assert server.most_busy == 3


# --- answers that cannot be used ------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault, told",
    [
        ("refusal", "refused"),
        ("truncated", "truncated"),
        ("other class", "misclassed"),
        ("malformed", "malformed"),
        ("copy", "copied"),
    ],
)
def test_a_class_that_never_gets_a_text_is_given_up(fault, told):
    with (
        Server(always(fault)) as server,
        pytest.raises(BadSamples, match=f"'mortgage: payments' in {GIVE_UP} .*: {GIVE_UP} {told}"),
    ):
        drawn(server, 1)
    assert server.paid.total() == GIVE_UP and max(server.paid.values()) == 1


def test_a_text_that_repeats_another_new_one_is_not_taken():
    with (
        Server(always("duplicate")) as server,
        pytest.raises(BadSamples, match=f"'mortgage: payments' in {GIVE_UP} .*repeated"),
    ):
        drawn(server, 8)
    asked = Counter(parts(body)[0] for body in server.bodies.values())
    assert asked[CLASSES[0]] == 1 + GIVE_UP  # the first was new


def test_texts_are_compared_without_case_punctuation_and_spacing():
    with Server() as server:
        usual = drawn(server, 4).texts
        known = [f"  {text.upper().replace(' ', '  ')} !?" for text in usual[:2]]
        other = drawn(server, 4, known=known)
    assert (
        other.facts["copied"] == 2
        and not set(other.texts[:2]) & set(usual)
        and list(other.texts[2:]) == list(usual[2:])
    )


def answer(content, **choice):
    message = {"content": json.dumps(content) if not isinstance(content, str) else content}
    return json.dumps(
        {
            "choices": [{"message": message, "finish_reason": "stop", **choice}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 5},
            "model": "m",
        }
    )


ASKED = request(SPEC, SETTING, CLASSES, 1, ["a"], 0, 2, SEED)


@pytest.mark.parametrize(
    "text, kind, texts, misclassed",
    [
        (
            answer(
                {
                    "texts": [
                        {"text": " a ", "category": CLASSES[1]},
                        {"text": "b", "category": CLASSES[0]},
                    ]
                }
            ),
            "usable",
            ("a",),
            1,
        ),
        (
            answer({"texts": [{"text": t, "category": CLASSES[1]} for t in "abc"]}),
            "usable",
            ("a", "b"),
            0,
        ),
        (answer({"texts": []}), "usable", (), 0),
        (answer({"texts": [{"text": "a", "category": "none of them"}]}), "malformed", (), 0),
        (answer({"texts": [{"text": 3, "category": CLASSES[1]}]}), "malformed", (), 0),
        (answer("Sure! Here they are:"), "malformed", (), 0),
        (answer({"texts": []}, finish_reason="length"), "truncated", (), 0),
        (answer({"texts": []}, finish_reason="content_filter"), "refused", (), 0),
        (answer("", message={"content": None, "refusal": "No."}), "refused", (), 0),
        (
            answer('{"texts": [{"text": "\\ud800", "category": "loan: harassment"}]}'),
            "malformed",
            (),
            0,
        ),
        ('{"choices": []}', "malformed", (), 0),
        ("[]", "malformed", (), 0),
        ("", "malformed", (), 0),
    ],
)
def test_answers_are_read_for_what_they_are(text, kind, texts, misclassed):
    found = read(text, ASKED, CLASSES)
    assert (found.kind, found.texts, found.misclassed) == (kind, texts, misclassed)
    assert found.tokens == ((7, 5) if "usage" in text else None)


GOOD = json.loads(answer({"texts": [{"text": "a", "category": CLASSES[1]}]}))


@pytest.mark.parametrize(
    "beside, tokens",
    [
        ({"usage": {"prompt_tokens": None, "completion_tokens": None}}, None),
        ({"usage": {"prompt_tokens": 7.0, "completion_tokens": "5"}}, (7, 5)),
        ({"usage": {"prompt_tokens": "many", "completion_tokens": 5}}, None),
        ({"usage": {"prompt_tokens": -1, "completion_tokens": float("inf")}}, None),
        ({"usage": {"prompt_tokens": float("nan"), "completion_tokens": 10**400}}, None),
        ({"usage": {"prompt_tokens": True, "completion_tokens": [5]}}, None),
        ({"usage": None}, None),
        ({"usage": "free"}, None),
        ({"usage": {}}, None),
        ({"model": None}, (7, 5)),
        ({"model": 4}, (7, 5)),
        ({"id": "\ud800", "logprobs": float("nan"), "error": None}, (7, 5)),
        ({"choices": [GOOD["choices"][0] | {"finish_reason": 3}]}, (7, 5)),
        ({"choices": [GOOD["choices"][0], "another"]}, (7, 5)),
        *(
            ({"choices": [{"message": GOOD["choices"][0]["message"] | {"refusal": none}}]}, (7, 5))
            for none in ("", False, None, {})
        ),
        (
            {
                "choices": [
                    {
                        "message": {
                            "content": [
                                {"type": "text", "text": GOOD["choices"][0]["message"]["content"]}
                            ]
                        }
                    }
                ]
            },
            (7, 5),
        ),
    ],
)
def test_a_good_answer_is_good_whatever_stands_beside_it(tmp_path, beside, tokens):
    text = json.dumps(GOOD | beside)
    found = read(text, ASKED, CLASSES)
    assert (found.kind, found.texts, found.tokens) == ("usable", ("a",), tokens)
    cache = AnswerCache(tmp_path)
    cache.put(tmp_path / "a.json", {}, text)
    assert cache.get(tmp_path / "a.json", {}) == text


# --- requests -------------------------------------------------------------------------------------


def test_a_prompt_shows_real_texts_of_its_class_and_names_every_class():
    own = [text for text, label in zip(*EXAMPLES) if label == 1]
    for variant, word in (
        ("additional", "additional, new texts"),
        ("variations", "variations of the examples"),
    ):
        setting = Setting("x", temperature=0.7, variant=variant)
        found = request(SPEC, setting, CLASSES, 1, own, 4, 2, SEED)
        category, count, shown = parts(found.body)
        assert (category, count, len(shown)) == (CLASSES[1], 2, 3) and set(shown) < set(own)
        assert word in found.body["messages"][1]["content"] and classes_of(found.body) == list(
            CLASSES
        )
        assert found.body["temperature"] == 0.7 and found.body["model"] == SPEC.model
        assert found.body["max_completion_tokens"] >= 2 * SPEC.max_tokens
        schema = found.body["response_format"]["json_schema"]
        assert schema["strict"] and schema["schema"]["additionalProperties"] is False
        assert "reasoning_effort" not in found.body
    thinking = msgspec.structs.replace(SPEC, reasoning_effort="none")
    assert (
        request(thinking, SETTING, CLASSES, 1, own, 0, 2, SEED).body["reasoning_effort"] == "none"
    )


def test_every_real_text_is_shown_before_any_is_shown_again():
    own = [f"text {n}" for n in range(9)]
    shown = [
        parts(request(SPEC, SETTING, CLASSES, 0, own, draw, 1, SEED).body)[2] for draw in range(9)
    ]
    passes = [
        sorted(text for texts in shown[start : start + 3] for text in texts) for start in (0, 3, 6)
    ]
    assert passes == [own] * 3 and shown[:3] != shown[3:6]
    few = request(SPEC, SETTING, CLASSES, 0, own[:2], 5, 1, SEED)
    assert sorted(parts(few.body)[2]) == own[:2]


def test_every_draw_class_seed_and_variant_is_another_request_and_the_same_one_is_the_same():
    own = ["the only text"]
    bodies = [
        json.dumps(request(SPEC, setting, CLASSES, label, own, draw, 1, seed).body)
        for setting in (SETTING, Setting("v", temperature=0.9, variant="variations"))
        for label in (0, 1)
        for draw in range(4)
        for seed in (SEED, SEED + 1)
    ]
    assert len(set(bodies)) == len(bodies) == 32
    assert json.dumps(request(SPEC, SETTING, CLASSES, 0, own, 0, 1, SEED).body) == bodies[0]


def test_a_long_example_is_cut_between_words():
    (shown,) = parts(request(SPEC, SETTING, CLASSES, 0, ["seven77 " * 100], 0, 1, SEED).body)[2]
    assert shown.endswith("seven77 [...]") and len(shown) <= 40 * 4 + 6


def test_several_texts_a_request_and_no_more_than_are_missing():
    with Server() as server:
        found = drawn(server, 26, spec=OpenAI(examples=3, per_request=5, max_tokens=40))
    assert Counter(parts(body)[1] for body in server.bodies.values()) == {5: 4, 2: 2, 1: 2}
    assert len(set(found.texts)) == 26


# --- cache and cost -------------------------------------------------------------------------------


def test_a_torn_answer_is_asked_for_again(tmp_path):
    with Server() as server:
        once = drawn(server, 4, folder=tmp_path).texts
        victim = next(tmp_path.rglob("*.json"))
        victim.write_bytes(victim.read_bytes()[:40])
        again = drawn(server, 4, folder=tmp_path)
    assert list(again.texts) == list(once) and again.facts["asked"] == 1


def test_another_servers_answers_are_not_taken(tmp_path):
    with Server() as one, Server() as other:
        drawn(one, 4, folder=tmp_path)
        assert drawn(other, 4, folder=tmp_path).facts["asked"] == 4 == len(other.arrivals)


def test_an_answer_is_on_the_disk_under_its_name_before_the_next_is_asked_for(
    tmp_path, monkeypatch
):
    flushed = watch_flushes(monkeypatch)
    with Server() as server:
        drawn(server, 1, folder=tmp_path / "new" / "texts")
    (path,) = tmp_path.rglob("*.json")
    assert {path, path.parent, path.parent.parent, tmp_path / "new", tmp_path} <= {*flushed}
    assert flushed.index(path) < len(flushed) - 1 - flushed[::-1].index(path.parent)


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with Server() as server, pytest.raises(TrialFailed, match="DDIV_TEXTS"):
        drawn(server, 4, folder=tmp_path / "file" / "below")
    assert not server.arrivals


def test_what_will_be_asked_is_estimated_before_and_counted_after(tmp_path, caplog):
    caplog.set_level(logging.INFO, "ddiv")
    spec = OpenAI(examples=3, per_request=5, max_tokens=40)
    with Server() as server:
        client, cache = Client(server.url), AnswerCache(tmp_path)

        def told(n, spec=spec):
            return estimate(
                spec, SETTING, CLASSES, labels(n), EXAMPLES, SEED, client=client, cache=cache
            )

        before = told(20)
        assert not server.arrivals and before.requests == 4
        found = drawn(server, 20, spec=spec, folder=tmp_path)
        assert found.facts["estimate"] == msgspec.to_builtins(before) and told(20).requests == 0
        # Twenty more: the four requests that are paid for are not in the estimate.
        assert told(40).requests == 4
        assert told(20, msgspec.structs.replace(spec, model="llama")).dollars is None
    sent = sum(
        len(json.dumps([body["messages"], body["response_format"]]))
        for body in server.bodies.values()
    )
    assert before.prompt_tokens == pytest.approx(sent / 4, rel=0.05)
    assert before.completion_tokens == pytest.approx(
        20 * (np.mean([len(text) for text in EXAMPLES[0]]) / 4 + 24), rel=0.01
    )
    used = found.facts["tokens"]
    assert found.facts["dollars"] == pytest.approx(
        (used["prompt"] * 2.5 + used["completion"] * 10) / 1e6, abs=1e-4
    )
    assert "about 4 requests" in caplog.text and "$" in caplog.text


def test_an_unknown_model_has_tokens_and_no_price():
    assert Cost.of("llama", 3, 10**6, 10**6) == Cost(3, 10**6, 10**6, None)
    assert Cost.of("gpt-4o-2024-08-06", 3, 10**6, 10**6).dollars == 12.5
    assert "no price is known" in Cost.of("llama", 1, 1, 1).label


def test_impossible_arguments():
    with Server() as server:
        with pytest.raises(BadSamples, match="'account: closed' has no real training text"):
            sample(
                SPEC,
                SETTING,
                CLASSES,
                labels(4),
                (EXAMPLES[0][:3], EXAMPLES[1][:3]),
                SEED,
                client=Client(server.url),
            )
        with pytest.raises(ValueError, match="0 to 2"):
            drawn(server, setting=Setting("hot", temperature=2.5))
        assert drawn(server, 0).texts.shape == (0,) and not server.arrivals
    for faulty in ({"concurrency": 0}, {"timeout": 0.0}, {"retries": -1}):
        with pytest.raises(NoAccess, match="at once"):
            Client("http://host/v1", **faulty)
