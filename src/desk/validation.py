"""Forms and queries become the models of the API, which validate them."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from desk.list_query import invalid

ModelT = TypeVar("ModelT", bound=BaseModel)


def validated(model: type[ModelT], location: str = "body", **values: Any) -> ModelT:  # noqa: ANN401 - of the model
    """Return a model with values of a form, or with `location` "query" of a query. Raises RequestValidationError."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid(error, location) from None
