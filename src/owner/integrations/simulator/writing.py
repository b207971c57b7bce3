"""What a customer can put into a message, as the control API takes it."""

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Attachment(_Part):
    """Bytes that the simulator keeps, or a URL elsewhere that the media redirect leads to."""

    content_type: str = "image/jpeg"
    data_base64: Base64Bytes = b""
    url: str | None = None


class Button(_Part):
    """A tapped quick reply; with a type (`REPLY`) one of an approved template."""

    payload: str
    text: str
    type: str | None = None


class ListItem(_Part):
    id: str
    title: str
    description: str = ""


class Location(_Part):
    latitude: float
    longitude: float
    label: str = ""
    address: str = ""


class Writing(_Part):
    to: str
    body: str = ""
    media: list[Attachment] = Field(default_factory=list)
    profile_name: str | None = None
    button: Button | None = None
    list_item: ListItem | None = Field(default=None, alias="list")
    location: Location | None = None
    referral: dict[str, str] | None = None
    reply_to_sid: str | None = None
    params: dict[str, str] | list[tuple[str, str]] = Field(default_factory=dict)
    message_sid: str | None = None  # known already: the same webhook is posted once more

    @property
    def text(self) -> str:
        """A tapped choice arrives as text too."""
        if self.body:
            return self.body
        return self.button.text if self.button else self.list_item.title if self.list_item else ""
