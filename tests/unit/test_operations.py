"""An operation checks its arguments before it runs, and describes itself."""

from typing import Annotated

import pytest
from pydantic import BaseModel, Field, ValidationError

from core.operations import Effect, Operation


class Weighed(BaseModel):
    """What was weighed."""

    name: str
    kilos: int
    fragile: bool


async def weigh(
    name: Annotated[str, Field(min_length=1, description="Of the parcel")],
    kilos: Annotated[int, Field(ge=1, le=30)] = 2,
    fragile: bool = False,
) -> Weighed:
    """Weigh a parcel
    before it goes."""
    return Weighed(name=name, kilos=kilos, fragile=fragile)


async def silent() -> Weighed:
    return Weighed(name="", kilos=0, fragile=False)


def operation(effect: Effect = "read") -> Operation:
    return Operation("weigh", "Weigh", "POST", "/api/parcels/{name}/weigh", weigh, effect)


async def test_defaults_fill_what_was_not_given() -> None:
    assert await operation().call({"name": "книга"}) == Weighed(name="книга", kilos=2, fragile=False)


async def test_words_of_a_query_become_numbers_and_truth() -> None:
    given = {"name": "x", "kilos": "7", "fragile": "true"}

    assert await operation().call(given) == Weighed(name="x", kilos=7, fragile=True)


async def test_blanks_around_a_value_are_part_of_it() -> None:
    result = await operation().call({"name": " id "})

    assert isinstance(result, Weighed)
    assert result.name == " id "


async def test_every_wrong_argument_is_named_and_nothing_runs() -> None:
    with pytest.raises(ValidationError) as caught:
        await operation().call({"name": "", "kilos": 31, "fragil": True})

    assert {error["loc"] for error in caught.value.errors()} == {("name",), ("kilos",), ("fragil",)}


@pytest.mark.parametrize("wrong", [None, 5, ["x"], {"x": 1}])
async def test_a_text_is_not_made_of_anything_else(wrong: object) -> None:
    with pytest.raises(ValidationError):
        await operation().call({"name": wrong})


def test_it_describes_itself() -> None:
    assert operation().description == "Weigh a parcel\nbefore it goes."
    assert operation().result is Weighed
    assert list(operation().arguments.model_fields) == ["name", "kilos", "fragile"]


def test_without_a_docstring_the_title_must_do() -> None:
    assert Operation("silent", "Say nothing", "GET", "/api/silence", silent, "read").description == (
        "Say nothing"
    )
