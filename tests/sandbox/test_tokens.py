import pytest

from tests.sandbox.world import ACCOUNT, KEYS, World, account_path

SELF = "/core/v1/accounts/self"


@pytest.mark.parametrize("path", ["/token", "/token/"])
async def test_both_token_paths_issue_a_bearer_token(world: World, path: str) -> None:
    answer = await world.web.post(f"/avito{path}", data=KEYS)

    assert answer.json() == {
        "access_token": answer.json()["access_token"],
        "expires_in": 86400,
        "token_type": "Bearer",
    }


async def test_a_json_token_request_is_refused(world: World) -> None:
    answer = await world.web.post("/avito/token", json=KEYS)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_another_grant_is_refused(world: World) -> None:
    answer = await world.web.post("/avito/token", data={**KEYS, "grant_type": "password"})

    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize(("as_200", "status"), [(False, 401), (True, 200)])
async def test_a_wrong_secret_is_an_oauth_error_with_a_status_to_choose(
    world: World, as_200: bool, status: int
) -> None:
    await world.fault(token_error_as_200=as_200)

    answer = await world.web.post("/avito/token", data={**KEYS, "client_secret": "guessed"})

    assert (answer.status_code, answer.json()["error"]) == (status, "invalid_client")
    assert "error_description" in answer.json()


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer made-up"}, {"Authorization": "Basic x"}])
async def test_a_missing_or_unknown_token_is_401(world: World, header: dict[str, str]) -> None:
    answer = await world.web.get(f"/avito{SELF}", headers=header)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, 401)


async def test_a_token_lives_as_long_as_it_says(world: World) -> None:
    await world.time.pass_(86_399)
    assert (await world.api("GET", SELF)).status_code == 200

    await world.time.pass_(1)
    answer = await world.api("GET", SELF)
    assert (answer.status_code, answer.json()["error"]["message"]) == (403, "access token expired")


@pytest.mark.parametrize("mode", ["401", 401, {"mode": "401"}])
async def test_tokens_can_be_expired_at_once_and_a_new_one_works(world: World, mode: object) -> None:
    await world.fault(expired_token=mode)
    assert (await world.api("GET", SELF)).status_code == 401

    await world.log_in()
    assert (await world.api("GET", SELF)).status_code == 200


@pytest.mark.parametrize("switch", [403, True])
async def test_expiry_can_show_as_403(world: World, switch: object) -> None:
    await world.fault(expired_token=switch)

    answer = await world.api("GET", SELF)

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, 403)


@pytest.mark.parametrize(("switch", "status"), [("result", 403), ({"mode": "result", "status": 200}, 200)])
async def test_expiry_can_show_inside_a_result(world: World, switch: object, status: int) -> None:
    await world.fault(expired_token=switch)

    answer = await world.api("GET", SELF)

    assert (answer.status_code, answer.json()["result"]["message"]) == (status, "access token expired")


async def test_a_sticky_expiry_refuses_fresh_tokens_too(world: World) -> None:
    await world.fault(expired_token={"mode": "403", "sticky": True})
    await world.log_in()

    assert (await world.api("GET", SELF)).status_code == 403


async def test_the_account_of_somebody_else_is_403(world: World) -> None:
    answer = await world.api("GET", f"{account_path(2, ACCOUNT + 1)}/chats")

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, 403)
