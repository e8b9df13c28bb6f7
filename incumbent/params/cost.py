"""What the use of machines and storage is worth, for the cost of a run."""

import re

from pydantic import Field, field_validator, model_validator

from incumbent.params.section import Section


class CostParams(Section):
    cpu_hour: float | None = Field(None, ge=0, description="price of an hour of one CPU core")
    gpu_hour: float | None = Field(None, ge=0, description="price of an hour of one GPU, busy or idle")
    gigabyte: float | None = Field(None, ge=0, description="price of 10^9 bytes sent to or from S3")
    thousand_requests: float | None = Field(None, ge=0, description="price of 1,000 requests to S3")
    currency: str | None = Field(None, description="of these prices: EUR, USD")

    @field_validator("currency")
    @classmethod
    def _currency_is_a_code(cls, currency: str | None) -> str | None:
        if currency is not None and not re.fullmatch("[A-Z]{3}", currency):
            raise ValueError("give its code of three capital letters, such as EUR (ISO 4217)")
        return currency

    @model_validator(mode="after")
    def _prices_have_a_currency(self) -> "CostParams":
        if self.currency is None and (named := [name for name, price in self if price is not None]):
            raise ValueError(f"cost.{named[0]} needs cost.currency, such as EUR")
        return self

    @property
    def has_prices(self) -> bool:
        return any(price is not None for name, price in self if name != "currency")
