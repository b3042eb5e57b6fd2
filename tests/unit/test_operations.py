"""An operation checks its arguments before it runs, and describes itself."""

from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from core.operations import Arguments, Operation, Risk, WrongArguments, asking
from core.rehearsal import or_rehearsal


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


def operation(risk: Risk = "read") -> Operation:
    return Operation("weigh", "Weigh", "POST", "/api/parcels/{name}/weigh", weigh, risk)


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
    with pytest.raises(WrongArguments) as caught:
        await operation().call({"name": "", "kilos": 31, "fragil": True})

    assert {error["loc"] for error in caught.value.error.errors()} == {("name",), ("kilos",), ("fragil",)}


@pytest.mark.parametrize("wrong", [None, 5, ["x"], {"x": 1}])
async def test_a_text_is_not_made_of_anything_else(wrong: object) -> None:
    with pytest.raises(WrongArguments):
        await operation().call({"name": wrong})


def test_it_describes_itself() -> None:
    assert operation().description == "Weigh a parcel before it goes."
    assert operation().result is Weighed
    assert list(operation().arguments.model_fields) == ["name", "kilos", "fragile"]


def test_without_a_docstring_the_title_must_do() -> None:
    assert Operation("silent", "Say nothing", "GET", "/api/silence", silent, "read").description == (
        "Say nothing"
    )


class Parcel(Arguments):
    """What a weighing asks for, as a model."""

    name: Annotated[str, Field(min_length=1, description="Of the parcel")]
    kilos: Annotated[int, Field(ge=1, le=30, description="How heavy")] = 2


class Fragile(Parcel):
    """The same where glass is sent."""

    fragile: Annotated[bool, Field(description="Glass")] = False


async def weigh_it(parcel: Parcel) -> Weighed:
    """Weigh what the model says."""
    return Weighed(name=parcel.name, kilos=parcel.kilos, fragile=isinstance(parcel, Fragile))


@pytest.mark.parametrize(
    ("model", "names"), [(Parcel, {"name", "kilos"}), (Fragile, {"name", "kilos", "fragile"})]
)
async def test_a_model_of_arguments_is_asked_for_field_by_field(model: type[Parcel], names: set[str]) -> None:
    one = Operation("weigh", "Weigh", "POST", "/api/weigh", asking(model, weigh_it), "read")

    assert set(one.signature.parameters) == names
    assert (one.description, one.result) == ("Weigh what the model says.", Weighed)
    assert one.arguments.model_json_schema()["required"] == ["name"]
    assert await one.call({"name": "ваза"}) == Weighed(name="ваза", kilos=2, fragile=model is Fragile)


@pytest.mark.parametrize("wrong", [{"name": ""}, {"name": "x", "kilos": 31}, {"name": "x", "colour": 1}])
async def test_the_rules_of_the_model_hold_for_its_fields(wrong: dict[str, object]) -> None:
    one = Operation("weigh", "Weigh", "POST", "/api/weigh", asking(Parcel, weigh_it), "read")

    with pytest.raises(WrongArguments):
        await one.call(wrong)


def test_an_answer_that_may_be_a_dry_runs_says_what_either_must_have() -> None:
    schema = or_rehearsal(Weighed).model_json_schema(mode="serialization")

    assert "required" not in schema
    assert schema["anyOf"] == [{"required": ["name", "kilos", "fragile"]}, {"required": ["dry_run"]}]
