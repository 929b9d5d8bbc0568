"""What the bodies of commands say, field by field, as JSON and as the forms of the pages.

Part of the contract that `/openapi.json` publishes. Who is always asked for; nothing is guessed.
"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from api.models import LARGEST_VERSION, AlarmModel, AssetModel, Model, TransitionModel
from domain.alarms import FoodFate, Nuisance, Remedy
from domain.ids import ID_PATTERN
from domain.times import parse_duration, parse_time

LONGEST_NAME, LONGEST_NOTE = 80, 500


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text.strip()


def _moment(value: object) -> object:
    return parse_time(value) if isinstance(value, str) else value


def _length(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) and value else None


Who = Annotated[str, AfterValidator(_not_blank), Field(max_length=LONGEST_NAME)]
Text = Annotated[str, AfterValidator(_not_blank), Field(max_length=LONGEST_NOTE)]
Moment = Annotated[
    int,
    BeforeValidator(_moment),
    Field(ge=0, le=2**53),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-01T12:00:00Z"]}),
]


class Command(BaseModel):
    """Who does it, and which version of the alarm they saw; a command that needs nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Who = Field(description="name of the person", examples=["Chef on duty"])
    note: str = Field("", max_length=LONGEST_NOTE, description="what there is to say", examples=["Door was open"])
    version: int | None = Field(
        None, ge=0, le=LARGEST_VERSION, description="the alarm's version you saw; a newer one is refused (409)"
    )


class Acknowledge(Command):
    """Who has seen the alarm, and whether it was a nuisance."""

    nuisance: Nuisance | None = Field(None, description="why it told nothing new; null: it was a real alarm")


class Confirm(Command):
    """A corrective action: what was done, and what became of the food."""

    remedy: Remedy = Field(description="what was done; `other` needs a note")
    food: FoodFate = Field(description="what became of the food")


class Shelve(Command):
    """Until when the alarm is set aside, and why."""

    note: Text = Field(description="why", examples=["Probe is being replaced"])
    until: Moment = Field(description="RFC 3339 with zone, or epoch milliseconds; the rule limits how late it may be")


class Suppress(Command):
    """Which rule or incident explains the alarm, and why."""

    by: Annotated[str, Field(pattern=r"^(rule|incident):[^\s].*$", max_length=LONGEST_NAME)] = Field(
        description="the rule or incident that lays it", examples=["incident:power-lost-4711"]
    )
    note: Text = Field(description="why", examples=["The board that feeds it has no power"])
    until: Moment | None = Field(None, description="when it ends by itself; null: when it is lifted")


class Assign(Command):
    """Whose the alarm is."""

    to: str = Field(
        max_length=LONGEST_NAME, description="a person or a role; empty: nobody's", examples=["maintenance"]
    )


class Comment(Command):
    """Something worth writing down."""

    note: Text = Field(description="the comment")


class OutOfService(BaseModel):
    """Who takes the asset out of service, why, and until when."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Who = Field(description="name of the person", examples=["Chef on duty"])
    note: Text = Field(description="why", examples=["Closed for the summer"])
    until: Moment | None = Field(None, description="when it is back by itself; null: when somebody puts it back")


class BackInService(BaseModel):
    """Who puts the asset back into service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Who = Field(description="name of the person", examples=["Chef on duty"])
    note: str = Field("", max_length=LONGEST_NOTE, description="what there is to say")


class Done(Model):
    """The transition that was logged, and the alarm after it."""

    transition: TransitionModel
    alarm: AlarmModel


class ServiceChanged(Model):
    """The transitions of the asset's alarms, and the asset after it."""

    transitions: list[TransitionModel]
    asset: AssetModel


class Form(BaseModel):
    """What every form of a page sends besides: the site, and where to go back to."""

    by: Who
    site: str = Field(pattern=f"^{ID_PATTERN}$")
    back: str = Field("/", max_length=2_000)


class CommandForm(Form, Command):
    """Silence, reset, unshelve, unsuppress as a form."""


class AcknowledgeForm(Form, Acknowledge):
    """Acknowledging as a form: the tapped button says whether it was a nuisance."""

    nuisance: Annotated[Nuisance | None, BeforeValidator(lambda value: value or None)] = None


class ConfirmForm(Form, Confirm):
    """The corrective action as a form."""


class ShelveForm(Form, Command):
    """Shelving as a form: a length instead of a moment."""

    note: Text
    lasting: Annotated[int, BeforeValidator(_length), Field(gt=0)]


class AssignForm(Form, Assign):
    """Assigning as a form; a field that is left empty is not sent."""

    to: str = Field("", max_length=LONGEST_NAME)


class CommentForm(Form, Comment):
    """A comment as a form."""


class OutOfServiceForm(Form):
    """Taking an asset out of service as a form; without a length it lasts until somebody puts it back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Who
    note: Text
    lasting: Annotated[int | None, BeforeValidator(_length)] = None


class BackInServiceForm(Form, BackInService):
    """Putting an asset back as a form."""
