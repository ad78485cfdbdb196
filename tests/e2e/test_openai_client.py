"""The `openai` package, unchanged: only its base URL is another one."""

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.peer("openai")

CHAT = textwrap.dedent("""
    import sys
    from openai import OpenAI
    client = OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
    model = client.models.list().data[0].id
    question = [{"role": "user", "content": "Why now?"}]
    stream = client.chat.completions.create(
        model=model, messages=question, max_tokens=20, stream=True
    )
    print(sum(bool(chunk.choices and chunk.choices[0].delta.content) for chunk in stream))
    answer = client.chat.completions.create(model=model, messages=question, max_tokens=5)
    print(answer.usage.completion_tokens)
""")


def chat(base_url, **environment):
    """Run a chat in a process of its own, as a user's program would."""
    ended = subprocess.run(
        [sys.executable, "-c", CHAT, base_url],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"NO_PROXY": "*"} | environment,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


def test_it_streams_through_the_pair(model_pair):
    assert chat(f"http://{model_pair.egress.listen}/v1") == ["20", "5"]


def test_it_talks_tls_to_the_ingress_itself(model, sidecars):
    """Its OpenSSL may know no post-quantum group: `prefer` lets it in, and the log tells."""
    front = sidecars.start_ingress(
        model.forward, policy="prefer", client_auth="none", trust=None, allow=[]
    )
    port = front.address[1]

    told = chat(f"https://localhost:{port}/v1", SSL_CERT_FILE=sidecars.certificates.root)

    assert told == ["20", "5"]
    assert {line["group"] for line in front.wait_for("connection")} <= {"x25519", "X25519MLKEM768"}
