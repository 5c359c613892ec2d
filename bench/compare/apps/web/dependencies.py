"""What the handlers depend on: three things made for a request, each with the one before."""

from dataclasses import dataclass


@dataclass(slots=True)
class Settings:
    shop: str
    currency: str


@dataclass(slots=True)
class Session:
    settings: Settings
    limit: int


@dataclass(slots=True)
class Customer:
    session: Session
    name: str


async def make_settings() -> Settings:
    return Settings(shop="corner", currency="CHF")


async def make_session(settings: Settings) -> Session:
    return Session(settings, limit=50)


async def make_customer(session: Session) -> Customer:
    return Customer(session, name="reader")
