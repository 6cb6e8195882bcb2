import json
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from services.webhooks.signature import new_secret, secret_bytes, secret_text, signed_headers

BODY = json.dumps({"subject": "Принтер"}, ensure_ascii=False).encode()
OTHER_BODY = json.dumps({"subject": "Сканер"}, ensure_ascii=False).encode()


def test_the_library_of_the_standard_verifies_a_signature() -> None:
    secret = new_secret()
    headers = signed_headers("evt_42_7", int(time.time()), BODY, [secret])
    assert Webhook(secret_text(secret)).verify(BODY, headers) == json.loads(BODY)
    assert headers["webhook-id"] == "evt_42_7"


def test_the_library_refuses_another_body_id_secret_or_time() -> None:
    secret, now = new_secret(), int(time.time())
    headers = signed_headers("evt_42_7", now, BODY, [secret])
    for body, changed, key in (
        (OTHER_BODY, {}, secret),
        (BODY, {"webhook-id": "evt_42_8"}, secret),
        (BODY, {"webhook-timestamp": str(now - 1)}, secret),
        (BODY, {}, new_secret()),
        (BODY, signed_headers("evt_42_7", now - 600, BODY, [secret]), secret),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret_text(key)).verify(body, headers | changed)


def test_both_secrets_verify_during_a_rotation() -> None:
    old, new = new_secret(), new_secret()
    headers = signed_headers("evt_42_7", int(time.time()), BODY, [new, old])
    for secret in (old, new):
        Webhook(secret_text(secret)).verify(BODY, headers)


def test_the_example_of_the_standard_is_signed_as_there() -> None:
    secret = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [secret])
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_has_24_to_64_bytes(size: int) -> None:
    assert secret_bytes(secret_text(b"x" * size)) == b"x" * size


@pytest.mark.parametrize(
    "text", ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_?", secret_text(b"x" * 23), secret_text(b"x" * 65), "whsec_"]
)
def test_another_secret_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        secret_bytes(text)
